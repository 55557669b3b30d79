import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import { maxRefcount } from '../refcount-entry.ts';
import type { StoredRefcounts } from './stored-refcounts.ts';

/** The most entries of a refcount table. */
const MOST_BLOCKS: number = MAX_REFCOUNT_TABLE_BYTES / ENTRY_SIZE;

/**
 * Which blocks refcounts of another width need: the numbers of those that count a cluster in use, ascending. Reads all
 * refcounts and changes nothing.
 * @param to the measures with the new width
 * @throws CalveError `out-of-range` for the first refcount that does not fit (trap 29), with `data.cluster`,
 *   `data.offset` and `data.refcount`, and for a table past QEMU's limit; the signal's reason
 */
export async function findUsedBlocks(
  path: string,
  stored: StoredRefcounts,
  to: Geometry,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const { blockEntries, clusterSize } = stored.geometry;
  const most = maxRefcount(to.refcountBits);
  const used: number[] = [];
  let last = -1;
  for (const index of stored.indices()) {
    signal?.throwIfAborted();
    const block = await stored.block(index);
    if (!block) continue;
    const first = index * blockEntries;
    for (let entry = 0; entry < blockEntries; entry += 1) {
      const count = block.get(entry);
      if (count === 0) continue;
      if (count > most) throw misfit(path, first + entry, clusterSize, count, to.refcountBits);
      const needed = Math.floor((first + entry) / to.blockEntries);
      if (needed === last) continue;
      if (needed >= MOST_BLOCKS) throw tableTooLarge(path);
      used.push(needed);
      last = needed;
    }
  }
  return used;
}

/** @throws CalveError as a refcount table that is past QEMU's limit */
export function tableTooLarge(path: string): CalveError {
  return new CalveError(
    'out-of-range',
    `${path}: the refcount table would pass its limit of ${MAX_REFCOUNT_TABLE_BYTES} bytes`,
    { hint: `use fewer bits a refcount, or larger clusters`, data: { path } },
  );
}

function misfit(path: string, cluster: number, clusterSize: number, count: number, bits: number): CalveError {
  const offset = cluster * clusterSize;
  return new CalveError(
    'out-of-range',
    `${path}: the cluster at ${offset}: expected a refcount of at most ${maxRefcount(bits)} for ${bits} bits, got ${count}`,
    { hint: `qemu-img snapshot -l ${path}`, data: { path, cluster, offset, refcount: count } },
  );
}
