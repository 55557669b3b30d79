import { CalveError } from '../../errors/index.ts';
import { MAX_SNAPSHOT_TABLE_BYTES } from '../constants.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';

/**
 * The bytes of a snapshot table.
 * @param path of the image, for errors
 * @throws CalveError `out-of-range` when it is longer than a table may be
 */
export function encodeSnapshotTable(path: string, entries: readonly SnapshotEntry[]): Uint8Array {
  const bytes = Buffer.concat(entries.map((entry) => entry.bytes));
  if (bytes.length <= MAX_SNAPSHOT_TABLE_BYTES) return bytes;
  const expected = `a snapshot table of at most ${MAX_SNAPSHOT_TABLE_BYTES} bytes`;
  throw new CalveError('out-of-range', `${path}: expected ${expected}, got ${bytes.length}`, {
    hint: `qemu-img snapshot -d NAME ${path}`,
    data: { path },
  });
}
