import type { Disk } from '../disk/index.ts';
import type { Range } from './ranges.ts';
import { readZeroExtended } from './read-zero-extended.ts';

/** Bytes that are read of each disk at a time. */
const CHUNK = 2 << 20;
const SECTOR = 512;

/** What goes with a search. */
export interface FindDifferenceOptions {
  readonly signal?: AbortSignal;
  /** Called with the offset up to which all is alike. */
  readonly onProgress?: (offset: number) => void;
}

/**
 * The first sector, of 512 bytes, that reads differently in two disks: its offset, or undefined where all is alike. Past
 * its end the shorter disk reads zeros.
 * @param ranges what is looked at, in order
 * @throws CalveError what reading the disks throws; the signal's reason when it is aborted
 */
export async function findDifference(
  a: Disk,
  b: Disk,
  ranges: AsyncIterable<Range>,
  { signal, onProgress }: FindDifferenceOptions = {},
): Promise<number | undefined> {
  const buffers = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)] as const;
  for await (const { offset, length } of ranges) {
    for (let at = offset; at < offset + length; at += CHUNK) {
      signal?.throwIfAborted();
      const bytes = Math.min(CHUNK, offset + length - at);
      const [left, right] = [buffers[0].subarray(0, bytes), buffers[1].subarray(0, bytes)];
      await Promise.all([readZeroExtended(a, left, at), readZeroExtended(b, right, at)]);
      if (!left.equals(right)) return at + differsAt(left, right);
      onProgress?.(at + bytes);
    }
  }
  return undefined;
}

function differsAt(left: Buffer, right: Buffer): number {
  let from = 0;
  while (left.subarray(from, from + SECTOR).equals(right.subarray(from, from + SECTOR))) from += SECTOR;
  return from;
}
