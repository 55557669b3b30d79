import { randomUUID } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { systemError } from '../../errors/index.ts';
import { type HostFile, openFile } from '../../host/index.ts';

const PIECE = 2 ** 19;
/** Bytes of storage that are given back at a time. */
const GIVEN_BACK = 2 ** 22;

/**
 * Bytes that are put aside until it is known where they go: in memory up to the first piece, then in a file beside
 * the target which has no name, so that nothing is left of it whatever happens.
 */
export class StagedStream implements AsyncDisposable {
  readonly #path: string;
  readonly #pieceLength: number;
  #file: HostFile | undefined;
  /** What was appended last, `#tail` bytes of it. Bytes before `#inFile` are in the file, or on their way. */
  #piece: Uint8Array | undefined;
  #spare: Uint8Array | undefined;
  #tail = 0;
  #inFile = 0;
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param target the path of the file beside which to stage
   * @param pieceLength bytes that are written and read at a time (default 512 KiB)
   */
  constructor(target: string, pieceLength: number = PIECE) {
    this.#path = `${target}.${randomUUID()}`;
    this.#pieceLength = pieceLength;
  }

  /** Bytes appended. */
  get length(): number {
    return this.#inFile + this.#tail;
  }

  /** Appends a copy of `bytes`. Calls must not overlap. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#piece ??= new Uint8Array(this.#pieceLength);
      const part = bytes.subarray(at, at + this.#pieceLength - this.#tail);
      this.#piece.set(part, this.#tail);
      this.#tail += part.length;
      at += part.length;
      if (this.#tail === this.#pieceLength) await this.#writePiece(this.#piece);
    }
  }

  /** Appends zeros. */
  async appendZeros(length: number): Promise<void> {
    await this.append(new Uint8Array(length));
  }

  /** Fills `into` from `offset`; the range lies within `length`. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    await this.#writing;
    const inFile = Math.max(0, Math.min(into.length, this.#inFile - offset));
    if (inFile > 0) await this.#file?.read(into.subarray(0, inFile), offset);
    if (inFile === into.length || !this.#piece) return;
    const start = offset + inFile - this.#inFile;
    into.set(this.#piece.subarray(start, start + into.length - inFile), inFile);
  }

  /**
   * As `pieces`, once, giving back the storage of what was read: the file that they are copied to takes no more than they
   * took, and the page cache has room for it already.
   */
  drain(): AsyncGenerator<Uint8Array> {
    return this.pieces((file, end) => {
      if (end % GIVEN_BACK === 0) file.punchHole(end - GIVEN_BACK, GIVEN_BACK);
    });
  }

  /**
   * All bytes in pieces; one is valid until the one after the next is asked for. Nothing is appended meanwhile.
   * @param onRead called with where in the file a piece ends that was read from there
   */
  async *pieces(onRead?: (file: HostFile, end: number) => void): AsyncGenerator<Uint8Array> {
    await this.#writing;
    // The piece that was written last is free again.
    const buffers = [
      this.#spare ?? new Uint8Array(this.#pieceLength),
      new Uint8Array(this.#pieceLength),
    ] as const;
    for (let at = 0, turn = 0; at < this.#inFile; at += this.#pieceLength, turn += 1) {
      const buffer = turn % 2 === 0 ? buffers[0] : buffers[1];
      await this.#file?.read(buffer, at);
      if (this.#file) onRead?.(this.#file, at + this.#pieceLength);
      yield buffer;
    }
    if (this.#piece && this.#tail > 0) yield this.#piece.subarray(0, this.#tail);
  }

  /** Gives back memory and storage. A second call does nothing. */
  async close(): Promise<void> {
    this.#piece = undefined;
    this.#spare = undefined;
    await Promise.allSettled([this.#writing]);
    await this.#file?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Starts to write a full piece once the one before is written, and goes on with that one's buffer. */
  async #writePiece(piece: Uint8Array): Promise<void> {
    await this.#writing;
    this.#file ??= await openUnnamed(this.#path);
    this.#writing = this.#file.write(piece, this.#inFile);
    // Whoever waits for it next sees the failure.
    this.#writing.catch(() => {});
    this.#inFile += piece.length;
    this.#tail = 0;
    this.#piece = this.#spare;
    this.#spare = piece;
  }
}

async function openUnnamed(path: string): Promise<HostFile> {
  const file = await openFile(path, { create: true, mode: 0o600 });
  try {
    await unlink(path);
    return file;
  } catch (error) {
    await file.close();
    throw systemError(`cannot unlink ${path}`, error);
  }
}
