import { ENTRY_SIZE } from '../constants.ts';

/** What a new refcount structure has to go by. */
export interface RebuildNeeds {
  /** Clusters of the file as it is; the structure goes behind them. */
  readonly clusters: number;
  /** Clusters behind those that it may use. */
  readonly room: number;
  readonly clusterSize: number;
  /** Refcounts in a block. */
  readonly blockEntries: number;
  /** Whether any cluster that the block with this number counts is in use. */
  readonly usesBlock: (index: number) => boolean;
  /** Whether nothing leads to a cluster behind the file. */
  readonly isFree: (cluster: number) => boolean;
}

/** Where a new refcount structure goes. Places are numbers of clusters. */
export interface RebuildPlan {
  readonly table: number;
  readonly tableClusters: number;
  /** For each refcount table entry, the cluster of its block; 0 for none. */
  readonly blocks: Float64Array;
}

/** Finds room for a new refcount structure that counts the file and itself; undefined when there is too little. */
export function planRebuild(needs: RebuildNeeds): RebuildPlan | undefined {
  const { clusters, room, blockEntries, clusterSize } = needs;
  const entries = Math.ceil((clusters + room) / blockEntries);
  const tableClusters = Math.ceil((entries * ENTRY_SIZE) / clusterSize);
  const table = findRun(needs, tableClusters);
  if (table === undefined) return undefined;
  const blocks = new Float64Array(entries);
  let next = clusters;
  for (let index = 0; index < entries; index += 1) {
    // Where the structure itself may lie, blocks are needed in any case.
    if ((index + 1) * blockEntries <= clusters && !needs.usesBlock(index)) continue;
    while (next < clusters + room && !isOpen(next)) next += 1;
    if (next >= clusters + room) return undefined;
    blocks[index] = next;
    next += 1;
  }
  return { table, tableClusters, blocks };

  function isOpen(cluster: number): boolean {
    const inTable = table !== undefined && cluster >= table && cluster < table + tableClusters;
    return !inTable && needs.isFree(cluster);
  }
}

/** The first run of free clusters of this length. */
function findRun({ clusters, room, isFree }: RebuildNeeds, length: number): number | undefined {
  let run = 0;
  for (let cluster = clusters; cluster < clusters + room; cluster += 1) {
    run = isFree(cluster) ? run + 1 : 0;
    if (run === length) return cluster - length + 1;
  }
  return undefined;
}

/** How many clusters a new structure takes, if all of the file is in use and nothing behind it. */
export function estimateRoom(clusters: number, blockEntries: number, clusterSize: number): number {
  let room = 2;
  while (true) {
    const blocks = Math.ceil((clusters + room) / blockEntries);
    const needed = blocks + Math.ceil((blocks * ENTRY_SIZE) / clusterSize);
    if (needed <= room) return room;
    room = needed;
  }
}
