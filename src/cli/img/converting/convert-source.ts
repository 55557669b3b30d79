import { type Disk, type Extent, extentsOf } from '../../../disk/index.ts';
import { ioWords, whyOf } from './io-words.ts';

const SECTOR = 512;
/** Bytes in whose steps is looked for what is wrong. */
const CLUSTER = 65_536;

/** How a source is read. */
export interface ConvertSourceOptions {
  /** `--salvage`: what cannot be read is told, and taken for zeros. */
  readonly salvages: boolean;
  /** What cannot be read is not told (`-q`). */
  readonly isQuiet: boolean;
  /** A line that is told. */
  readonly warn: (line: string) => void;
}

/** A source whose errors are in qemu-img's words, or are passed over. It is not closed with it. */
export function convertSource(disk: Disk, { salvages, isQuiet, warn }: ConvertSourceOptions): Disk {
  const close = async () => {};
  return { size: disk.size, read, extents, close, [Symbol.asyncDispose]: close };

  async function read(into: Uint8Array, offset: number): Promise<void> {
    try {
      await disk.read(into, offset);
    } catch (error) {
      if (salvages) await readSectors(into, offset);
      else throw ioWords(`reading at byte ${await failingFrom(into, offset)}`, error);
    }
  }

  /** The cluster, of a usual size, that cannot be read. */
  async function failingFrom(into: Uint8Array, offset: number): Promise<number> {
    for (let at = offset; at < offset + into.length; ) {
      const end = Math.min(offset + into.length, at + CLUSTER - (at % CLUSTER));
      try {
        await disk.read(into.subarray(at - offset, end - offset), at);
      } catch {
        return at;
      }
      at = end;
    }
    return offset;
  }

  async function readSectors(into: Uint8Array, offset: number): Promise<void> {
    for (let at = 0; at < into.length; at += SECTOR) {
      const sector = into.subarray(at, at + SECTOR);
      try {
        await disk.read(sector, offset + at);
      } catch (error) {
        if (!isQuiet) warn(`error while reading offset ${offset + at}: ${whyOf(error)}`);
        sector.fill(0);
      }
    }
  }

  async function* extents(offset: number, length: number): AsyncGenerator<Extent> {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      try {
        for await (const extent of extentsOf(disk, at, end - at)) {
          yield extent;
          at = extent.offset + extent.length;
        }
      } catch (error) {
        const known = await knownUpTo(disk, at, end);
        yield* extentsOf(disk, at, known - at);
        const where = `reading block status at offset ${known}`;
        if (!salvages) throw ioWords(where, error);
        if (!isQuiet) warn(`error while ${where}: ${whyOf(error)}`);
        // Reading tells what of it is there.
        at = Math.min(end, known + CLUSTER - (known % CLUSTER));
        yield { offset: known, length: at - known, kind: 'data', depth: 0 };
      }
    }
  }
}

/** Where the first sector lies whose extent cannot be told; one there is. */
async function knownUpTo(disk: Disk, start: number, end: number): Promise<number> {
  let [known, unknown] = [start, end];
  while (unknown - known > SECTOR) {
    const middle = known + Math.ceil((unknown - known) / 2 / SECTOR) * SECTOR;
    if (await isKnown(disk, known, middle - known)) known = middle;
    else unknown = middle;
  }
  return known;
}

async function isKnown(disk: Disk, offset: number, length: number): Promise<boolean> {
  try {
    for await (const _ of extentsOf(disk, offset, length));
    return true;
  } catch {
    return false;
  }
}
