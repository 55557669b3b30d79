import { type Disk, extentsOf, type WritableDisk, writeZeroesTo } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { paceOf } from './pace.ts';
import { dataAndZeros } from './zero-runs.ts';

/** How a disk is committed. */
export interface CommitDiskOptions {
  /** How many disks lie above the base (default 1): what they hold is committed. */
  readonly depth?: number;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of a second at most; undefined: as many as there can be. */
  readonly rate?: number | undefined;
  /** Called after each piece with the bytes passed so far and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Bytes moved at a time. */
const CHUNK = 1 << 20;
/** Zeros are told from data in steps of this many bytes. */
const GRAIN = 65536;

/**
 * Writes into a base what the disks above it hold, and makes that durable. The base becomes as long as the disk, if it was
 * shorter. Nothing above the base is changed, and it goes on deciding what it decided, so that the disk reads the same all
 * the time, and after a crash at any moment.
 * @param disk the topmost
 * @param base one of its chain, open for writing
 * @throws CalveError `unsupported` for a base that cannot grow; what the disks throw; the signal's reason
 *
 * @example
 * await commitDisk(overlay, base);
 * await overlay.makeEmpty();
 */
export async function commitDisk(
  disk: Disk,
  base: WritableDisk,
  { depth = 1, signal, rate, onProgress }: CommitDiskOptions = {},
): Promise<void> {
  const total = disk.size;
  if (base.size < total) await growTo(base, total);
  const buffer = Buffer.allocUnsafe(CHUNK);
  const pace = paceOf(rate);
  for await (const extent of extentsOf(disk, 0, total)) {
    const end = extent.offset + extent.length;
    if (extent.depth < depth) {
      for (let at = extent.offset; at < end; at += CHUNK) {
        signal?.throwIfAborted();
        const length = Math.min(CHUNK, end - at);
        await pace.pass(length, signal);
        if (extent.kind === 'data') await copyPiece(disk, base, buffer.subarray(0, length), at);
        else await zeroWhereData(base, at, length);
        onProgress?.(at + length, total);
      }
    } else {
      signal?.throwIfAborted();
      onProgress?.(end, total);
    }
  }
  await base.flush();
}

async function growTo(base: WritableDisk, size: number): Promise<void> {
  if (base.resize === undefined) {
    throw new CalveError('unsupported', `the base has ${base.size} bytes, the disk ${size}: it cannot grow`);
  }
  await base.resize(size);
}

async function copyPiece(disk: Disk, base: WritableDisk, piece: Buffer, offset: number): Promise<void> {
  if (disk.tryRead?.(piece, offset) !== true) await disk.read(piece, offset);
  for (const { start, end, zero } of dataAndZeros(piece, GRAIN)) {
    if (zero) await zeroWhereData(base, offset + start, end - start);
    else await base.write(piece.subarray(start, end), offset + start);
  }
}

/** Zeros are written where the base may hold something else. */
async function zeroWhereData(base: WritableDisk, offset: number, length: number): Promise<void> {
  for await (const lower of extentsOf(base, offset, length)) {
    if (lower.kind === 'data') await writeZeroesTo(base, lower.offset, lower.length);
  }
}
