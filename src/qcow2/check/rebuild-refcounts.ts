import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES } from '../constants.ts';
import { patchHeader } from '../patch-header.ts';
import { maxRefcount, writeRefcount } from '../refcount-entry.ts';
import { countWindow } from './count-window.ts';
import { FindingLog } from './finding-log.ts';
import { visitRefcounts } from './mend-refcounts.ts';
import { estimateRoom, planRebuild, type RebuildPlan } from './plan-rebuild.ts';
import { BYTES_A_CLUSTER, type ReferenceCounts } from './reference-counts.ts';
import { STRUCTURES } from './structure.ts';
import type { Survey } from './survey.ts';

/** How refcounts are rebuilt. */
export interface RebuildOptions {
  /** Bytes for reference counts; the whole image must fit. */
  readonly refcountMemory: number;
  /** Whether clusters that seem to be leaked stay in use, because what leads to them may be lost. */
  readonly keepLeaks: boolean;
  readonly signal: AbortSignal | undefined;
}

/** How often to look for more room behind the file before giving up: what leads there fills it all. */
const ATTEMPTS = 8;

/**
 * Writes a new refcount table and new refcount blocks, and lets the header name them.
 *
 * Everything new goes behind the end of the file: whatever is in the file, free or not, stays as it is until the header
 * changes. That is one write within a sector, between two barriers: before it the old refcounts are in force, after
 * it the new ones, and a crash leaves the one or the other.
 *
 * @throws CalveError `out-of-range` when the image has too many clusters for the memory; `corrupt` when damaged
 *   entries claim all the room behind the file; `no-space`, `io`
 */
export async function rebuildRefcounts(survey: Survey, options: RebuildOptions): Promise<void> {
  const { file, geometry } = survey;
  const { clusterSize } = geometry;
  const { plan, counts } = await findPlan(survey, options);
  for (let cluster = plan.table; cluster < plan.table + plan.tableClusters; cluster += 1) {
    counts.add(cluster, STRUCTURES['refcount table'], 1);
  }
  for (const cluster of plan.blocks) if (cluster > 0) counts.add(cluster, STRUCTURES['refcount block'], 1);
  const table = Buffer.alloc(plan.tableClusters * clusterSize);
  for (const [index, cluster] of plan.blocks.entries()) {
    if (cluster === 0) continue;
    table.writeBigUInt64BE(BigInt(cluster * clusterSize), index * ENTRY_SIZE);
    await file.write(encodeBlock(survey, counts, index), cluster * clusterSize);
  }
  await file.write(table, plan.table * clusterSize);
  await file.barrier();
  await patchHeader(file, {
    refcountTableOffset: BigInt(plan.table * clusterSize),
    refcountTableClusters: plan.tableClusters,
  });
  await file.barrier();
}

async function findPlan(
  survey: Survey,
  options: RebuildOptions,
): Promise<{ readonly plan: RebuildPlan; readonly counts: ReferenceCounts }> {
  const { geometry, file } = survey;
  const { clusters, blockEntries, clusterSize } = geometry;
  let room = estimateRoom(clusters, blockEntries, clusterSize);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const counts = await countWithRoom(survey, room, options);
    const usesBlock = (index: number) => {
      const end = Math.min((index + 1) * blockEntries, clusters);
      for (let cluster = index * blockEntries; cluster < end; cluster += 1) {
        if (!counts.isTouched(cluster)) cluster = counts.stretchEnd(cluster) - 1;
        else if (counts.count(cluster) > 0) return true;
      }
      return false;
    };
    const isFree = (cluster: number) => counts.bits(cluster) === 0;
    const plan = planRebuild({ clusters, room, clusterSize, blockEntries, usesBlock, isFree });
    if (plan) {
      if (plan.tableClusters * clusterSize <= MAX_REFCOUNT_TABLE_BYTES) return { plan, counts };
      const got = plan.tableClusters * clusterSize;
      throw new CalveError(
        'out-of-range',
        `${file.path}: expected a refcount table of at most ${MAX_REFCOUNT_TABLE_BYTES} bytes, needed ${got}`,
      );
    }
    room *= 2;
  }
  throw new CalveError('corrupt', `${file.path}: damaged entries claim all room for new refcounts`);
}

/**
 * Counts references as they are when the file has grown: entries that lead behind its end now lead into it then, and
 * what they lead to must not be given to anything else.
 */
async function countWithRoom(
  survey: Survey,
  room: number,
  options: RebuildOptions,
): Promise<ReferenceCounts> {
  const { geometry } = survey;
  const end = geometry.clusters + room;
  const needed = Math.ceil(end * BYTES_A_CLUSTER);
  if (needed > options.refcountMemory) {
    throw new CalveError(
      'out-of-range',
      `${survey.file.path}: rebuilding the refcounts of ${geometry.clusters} clusters takes ${needed} bytes of memory, allowed are ${options.refcountMemory}`,
      { data: { refcountMemory: needed } },
    );
  }
  const grown = {
    ...survey,
    log: new FindingLog(0),
    geometry: { ...geometry, clusters: end, fileEnd: end * geometry.clusterSize },
  };
  const window = { first: 0, end };
  const { signal, keepLeaks } = options;
  const { counts } = await countWindow(grown, { window, tells: false, refcounts: false, signal });
  if (keepLeaks) {
    await visitRefcounts(survey, counts, (cluster, stored, counted) => {
      if (stored > counted) counts.add(cluster, 0, stored - counted);
    });
  }
  return counts;
}

function encodeBlock({ geometry }: Survey, counts: ReferenceCounts, index: number): Uint8Array {
  const { blockEntries, refcountBits, clusterSize } = geometry;
  const bytes = new Uint8Array(clusterSize);
  const view = new DataView(bytes.buffer);
  const most = maxRefcount(refcountBits);
  const first = index * blockEntries;
  for (let entry = 0; entry < blockEntries; entry += 1) {
    const count = counts.count(first + entry);
    if (count > 0) writeRefcount(view, entry, refcountBits, Math.min(count, most));
  }
  return bytes;
}
