import {
  checkRange,
  type Extent,
  Lifetime,
  RangeLocks,
  type WritableDisk,
  type ZeroOptions,
} from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { Command, CommandFlag, TransmissionFlag } from '../protocol/numbers.ts';
import { type AlignedRange, alignRange } from './aligned-range.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { StatusByContext } from './pending-request.ts';
import { ALLOCATION, type StatusRange, statusExtents, statusRanges } from './status-extents.ts';

/** A longer read or write is made in pieces of so many bytes, at the same time, over all connections. */
const PIECE = 256 * 1024;
/** Zeroing and discarding carry no data: so many bytes at a time, a multiple of every minimum block. */
const LONG_PIECE = 1 << 30;

/** What a server may answer to a range that is too long. */
const TOO_LONG: ReadonlySet<unknown> = new Set(['EINVAL', 'EOVERFLOW']);

const ZEROS = Buffer.alloc(PIECE);

/**
 * An export of an NBD server. Made by `openNbd`.
 *
 * Requests of any offset and length are made of such as the server takes: longer ones are split, and where it takes whole
 * blocks alone, what lies around an odd range is read first, and written back when the range is written.
 */
export class NbdDisk implements WritableDisk {
  /** The address, as a URI. */
  readonly uri: string;
  readonly readOnly: boolean;
  /** There where the server tells of `base:allocation`. */
  readonly extents?: (offset: number, length: number) => AsyncIterable<Extent>;
  /** There where the server takes WRITE_ZEROES. */
  readonly writeZeroes?: (offset: number, length: number, options?: ZeroOptions) => Promise<void>;
  /** There where the server takes TRIM. */
  readonly discard?: (offset: number, length: number) => Promise<void>;
  readonly #pool: ConnectionPool;
  readonly #block: number;
  readonly #piece: number;
  #longPiece = LONG_PIECE;
  readonly #lifetime = new Lifetime();
  readonly #locks = new RangeLocks();

  constructor(pool: ConnectionPool, uri: string, readOnly: boolean) {
    const { blocks, flags, contexts } = pool.agreed;
    this.uri = uri;
    this.readOnly = readOnly;
    this.#pool = pool;
    this.#block = blocks.minimum;
    this.#piece = Math.min(PIECE, blocks.maximum);
    if (contexts.has(ALLOCATION))
      this.extents = (offset, length) => this.#told(offset, length, statusExtents);
    if (readOnly) return;
    if ((flags & TransmissionFlag.sendWriteZeroes) !== 0) {
      this.writeZeroes = (offset, length, options) => this.#writeZeroes(offset, length, options);
    }
    if ((flags & TransmissionFlag.sendTrim) !== 0)
      this.discard = (offset, length) => this.#discard(offset, length);
  }

  get size(): number {
    return this.#pool.agreed.size;
  }

  /** Names of the metadata contexts that the server tells of, of those that were asked for. */
  get contexts(): ReadonlySet<string> {
    return new Set(this.#pool.agreed.contexts.keys());
  }

  /** Connections that stand: more come as they are needed, where the server can do with several. */
  get connections(): number {
    return this.#pool.connections;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    const buffer = Buffer.from(into.buffer, into.byteOffset, into.length);
    await this.#use(offset, into.length, async (range) => {
      if (range.isAligned) return this.#readBlocks(buffer, offset);
      if (range.to - range.from <= this.#piece) return this.#readAround(buffer, offset, range);
      const [head, tail] = [range.from - offset, range.to - offset];
      await whenAllDone([
        this.#readOdd(buffer.subarray(0, head), offset),
        this.#readBlocks(buffer.subarray(head, tail), range.from),
        this.#readOdd(buffer.subarray(tail), range.to),
      ]);
    });
  }

  /** @throws CalveError `denied` when the disk was opened for reading */
  async write(from: Uint8Array, offset: number): Promise<void> {
    await this.#change(offset, from.length, async (range) => {
      if (range.isAligned) return this.#writeBlocks(from, offset);
      if (range.to - range.from <= this.#piece) return this.#writeAround(from, offset, range);
      const [head, tail] = [range.from - offset, range.to - offset];
      await whenAllDone([
        this.#writeOdd(from.subarray(0, head), offset),
        this.#writeBlocks(from.subarray(head, tail), range.from),
        this.#writeOdd(from.subarray(tail), range.to),
      ]);
    });
  }

  /**
   * What the server says of a range in a metadata context.
   * @param context one of `contexts`
   * @throws CalveError `not-found` for another one; `io`
   */
  statuses(context: string, offset: number, length: number): AsyncGenerator<StatusRange> {
    if (!this.#pool.agreed.contexts.has(context)) {
      throw new CalveError('not-found', `${this.uri}: the server has no metadata context ${context}`);
    }
    return this.#told(offset, length, (status, start, end) =>
      statusRanges(status.get(context) ?? [], start, end),
    );
  }

  /** Resolves when the server has stored what was written; does nothing where the server has no such command. */
  async flush(): Promise<void> {
    await this.#lifetime.run(() => this.#pool.flush());
  }

  /**
   * Waits for what is under way, flushes, and takes leave of the server.
   * @throws CalveError why what was written could not be flushed
   */
  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      try {
        if (!this.readOnly) await this.#pool.flush();
      } finally {
        await this.#pool.close();
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Asks for the status of a range, and tells what `read` finds in the replies, of which one may say less than all. */
  async *#told<Part extends { readonly offset: number; readonly length: number }>(
    offset: number,
    length: number,
    read: (status: StatusByContext, start: number, end: number) => Iterable<Part>,
  ): AsyncGenerator<Part> {
    this.#lifetime.check();
    checkRange(this, offset, length);
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const { start, end: until } = alignRange(at, Math.min(end - at, LONG_PIECE), this.#block);
      const command = { command: Command.blockStatus, flags: 0, offset: start, length: until - start };
      const from = at;
      for (const extent of read(await this.#pool.perform(command), start, end)) {
        const cut = Math.max(0, at - extent.offset);
        if (cut >= extent.length) continue;
        yield { ...extent, offset: extent.offset + cut, length: extent.length - cut };
        at = extent.offset + extent.length;
      }
      if (at === from)
        throw new CalveError('invalid', `${this.uri}: the server says nothing of what lies at ${at}`);
    }
  }

  async #writeZeroes(offset: number, length: number, { unmap = true }: ZeroOptions = {}): Promise<void> {
    const flags = unmap ? 0 : CommandFlag.noHole;
    await this.#change(offset, length, async ({ from, to }) => {
      if (from >= to) return this.#writeOdd(ZEROS.subarray(0, length), offset);
      await whenAllDone([
        this.#writeOdd(ZEROS.subarray(0, from - offset), offset),
        this.#withoutData(Command.writeZeroes, flags, from, to - from),
        this.#writeOdd(ZEROS.subarray(0, offset + length - to), to),
      ]);
    });
  }

  /** Discards the whole blocks of a range. */
  async #discard(offset: number, length: number): Promise<void> {
    await this.#change(offset, length, ({ from, to }) => this.#withoutData(Command.trim, 0, from, to - from));
  }

  /** A server may find a range too long that carries no data (section "Size constraints"): it then gets short ones. */
  async #withoutData(command: number, flags: number, offset: number, length: number): Promise<void> {
    await inPieces(offset, length, this.#longPiece, async (at, count) => {
      try {
        await this.#pool.perform({ command, flags, offset: at, length: count });
      } catch (error) {
        const isTooLong = CalveError.is(error) && TOO_LONG.has(error.data['errno']);
        if (!isTooLong || count <= this.#pool.agreed.blocks.maximum) throw error;
        this.#longPiece = this.#pool.agreed.blocks.maximum;
        await this.#withoutData(command, flags, at, count);
      }
    });
  }

  /** Checks a range, and does something with it, unless it is empty. */
  #use(offset: number, length: number, job: (range: AlignedRange) => Promise<void>): Promise<void> {
    return this.#lifetime.run(async () => {
      checkRange(this, offset, length);
      if (length > 0) await job(alignRange(offset, length, this.#block));
    });
  }

  /** Changes to the same blocks are made one after the other, or what is written back around one would undo another. */
  #change(offset: number, length: number, job: (range: AlignedRange) => Promise<void>): Promise<void> {
    return this.#use(offset, length, (range) => {
      if (this.readOnly) throw new CalveError('denied', `${this.uri} was opened for reading`);
      return this.#block === 1 ? job(range) : this.#locks.run(range.start, range.end, () => job(range));
    });
  }

  async #readBlocks(into: Buffer, offset: number): Promise<void> {
    await inPieces(offset, into.length, this.#piece, (at, length) => {
      const piece = into.subarray(at - offset, at - offset + length);
      return this.#pool.perform({ command: Command.read, flags: 0, offset: at, length, into: piece });
    });
  }

  async #writeBlocks(from: Uint8Array, offset: number): Promise<void> {
    await inPieces(offset, from.length, this.#piece, (at, length) => {
      const piece = from.subarray(at - offset, at - offset + length);
      return this.#pool.perform({ command: Command.write, flags: 0, offset: at, length, from: piece });
    });
  }

  #readOdd(into: Buffer, offset: number): Promise<void> {
    return this.#readAround(into, offset, alignRange(offset, into.length, this.#block));
  }

  async #readAround(into: Buffer, offset: number, { start, end }: AlignedRange): Promise<void> {
    const around = Buffer.allocUnsafe(end - start);
    await this.#readBlocks(around, start);
    around.copy(into, 0, offset - start);
  }

  #writeOdd(from: Uint8Array, offset: number): Promise<void> {
    return this.#writeAround(from, offset, alignRange(offset, from.length, this.#block));
  }

  /** Reads the first and the last block, lays the bytes over them, and writes all. */
  async #writeAround(from: Uint8Array, offset: number, { start, end }: AlignedRange): Promise<void> {
    const around = Buffer.allocUnsafe(end - start);
    await this.#readBlocks(around, start);
    around.set(from, offset - start);
    await this.#writeBlocks(around, start);
  }
}

/** Does a job piece by piece, all pieces at once; none is under way any more when it fails. */
async function inPieces(
  offset: number,
  length: number,
  most: number,
  job: (offset: number, length: number) => Promise<unknown>,
): Promise<void> {
  if (length <= 0) return;
  if (length <= most) {
    await job(offset, length);
    return;
  }
  const jobs: Promise<unknown>[] = [];
  for (let done = 0; done < length; done += most)
    jobs.push(job(offset + done, Math.min(most, length - done)));
  await whenAllDone(jobs);
}

/** @throws what the first of the jobs that failed throws, once all have ended */
async function whenAllDone(jobs: readonly Promise<unknown>[]): Promise<void> {
  const done = await Promise.allSettled(jobs);
  const failed = done.find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
}
