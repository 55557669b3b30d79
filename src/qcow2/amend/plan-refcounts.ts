import { ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES } from '../constants.ts';
import { tableTooLarge } from './find-used-blocks.ts';

/** What a new refcount structure has to go by. */
export interface RefcountNeeds {
  readonly path: string;
  readonly clusterSize: number;
  /** Refcounts in a new block. */
  readonly blockEntries: number;
  /** Numbers of the blocks that count clusters in use so far, ascending. */
  readonly used: readonly number[];
  /** The first cluster from `from` on that is free, and how many in a row are, up to `atMost`. */
  readonly findFree: (from: number, atMost: number) => Promise<{ first: number; count: number }>;
}

/** Where a new refcount structure goes. Places are numbers of clusters. */
export interface RefcountPlan {
  readonly table: number;
  readonly tableClusters: number;
  /** The cluster of each block that there is, by the block's number; ascending by number. */
  readonly blocks: ReadonlyMap<number, number>;
}

/**
 * Finds free clusters for a new refcount table and its blocks. They have to count themselves (trap 25): a block that
 * lies where none counted anything calls for another, and more blocks may call for a longer table.
 * @throws CalveError `out-of-range` for a table past QEMU's limit; what `findFree` throws
 */
export async function planRefcounts(needs: RefcountNeeds): Promise<RefcountPlan> {
  const perCluster = needs.clusterSize / ENTRY_SIZE;
  let tableClusters = 1;
  while (true) {
    if (tableClusters * needs.clusterSize > MAX_REFCOUNT_TABLE_BYTES) throw tableTooLarge(needs.path);
    const table = await findRun(needs, tableClusters);
    const blocks = await placeBlocks(needs, table, tableClusters);
    const entries = ([...blocks.keys()].at(-1) ?? 0) + 1;
    const wanted = Math.ceil(entries / perCluster);
    if (wanted <= tableClusters) return { table, tableClusters, blocks };
    tableClusters = wanted;
  }
}

async function placeBlocks(
  { used, blockEntries, findFree }: RefcountNeeds,
  table: number,
  tableClusters: number,
): Promise<Map<number, number>> {
  const numbers = [...used];
  const known = new Set(used);
  const count = (first: number, end: number) => {
    const last = Math.floor((end - 1) / blockEntries);
    for (let number = Math.floor(first / blockEntries); number <= last; number += 1) {
      if (known.has(number)) continue;
      known.add(number);
      numbers.push(number);
    }
  };
  count(table, table + tableClusters);
  const clusters: number[] = [];
  let from = 0;
  while (clusters.length < numbers.length) {
    const run = await findFree(from, numbers.length - clusters.length);
    from = run.first + run.count;
    for (let cluster = run.first; cluster < from; cluster += 1) {
      if (cluster >= table && cluster < table + tableClusters) continue;
      clusters.push(cluster);
      count(cluster, cluster + 1);
    }
  }
  const blocks = numbers.map((number, at): [number, number] => [number, clusters[at] ?? 0]);
  return new Map(blocks.sort(([a], [b]) => a - b));
}

/** The first run of free clusters of this length (trap 30). */
async function findRun({ findFree }: RefcountNeeds, length: number): Promise<number> {
  for (let from = 0; ; ) {
    const { first, count } = await findFree(from, length);
    if (count === length) return first;
    from = first + count;
  }
}
