import { addBitmaps } from './count-bitmaps.ts';
import { addRefcountBlocks } from './count-refcount-blocks.ts';
import { FragmentCounts } from './fragment-counts.ts';
import { originPlace } from './l2-list.ts';
import { L2Walk } from './l2-walk.ts';
import { readTables, tableIn } from './read-tables.ts';
import { ReferenceCounter } from './reference-counter.ts';
import { ReferenceCounts } from './reference-counts.ts';
import type { Survey } from './survey.ts';
import type { Window } from './windows.ts';

/** How a window is counted. */
export interface CountOptions {
  readonly window: Window;
  /** Whether to tell what belongs to no window; true for one window alone. */
  readonly tells: boolean;
  /** Whether the refcount table and blocks count as references (default true): of what replaces them, they do not. */
  readonly refcounts?: boolean;
  readonly fragments?: FragmentCounts;
  readonly signal: AbortSignal | undefined;
  /** Called with L2 tables done. */
  readonly onTables?: ((done: number) => void) | undefined;
}

/** What was counted. */
export interface CountedWindow {
  readonly counts: ReferenceCounts;
  /** An entry of the active disk leads to a cluster past those that are counted. */
  readonly strays: boolean;
}

/** Counts every reference to the clusters of a window, and tells of what is wrong on the way there. */
export async function countWindow(survey: Survey, options: CountOptions): Promise<CountedWindow> {
  const { geometry, log, ranges, l2 } = survey;
  const { clusterSize } = geometry;
  const counts = new ReferenceCounts(options.window.first, options.window.end);
  const counter = new ReferenceCounter(counts, geometry, log, options.tells);
  for (const range of ranges) {
    if (range.structure !== 'refcount table' || options.refcounts !== false) counter.addClusters(range);
  }
  l2.offsets.forEach((offset, index) => {
    const times = l2.times[index] ?? 0;
    if (!counter.addRange('L2 table', offset, clusterSize, times)) {
      counter.tellPastEnd('L2 table', offset, clusterSize, times, () => originPlace(l2.origin(index)));
    }
    if (l2.copied[index]) counter.noteCopied(offset, true);
    if (l2.notCopied[index]) counter.noteCopied(offset, false);
  });
  const fragments = options.fragments ?? new FragmentCounts();
  const walk = new L2Walk({ geometry, log, list: l2, counter, fragments });
  for await (const run of readTables(survey.file, l2.followedOffsets, clusterSize)) {
    options.signal?.throwIfAborted();
    for (let index = run.first; index < run.first + run.count; index += 1) {
      walk.walk(tableIn(run, l2.followedOffsets[index] ?? 0, clusterSize), l2.followed[index] ?? 0);
    }
    options.onTables?.(run.first + run.count);
  }
  await addBitmaps(survey, counter, options.signal);
  if (options.refcounts !== false) addRefcountBlocks(survey, counter);
  return { counts, strays: counter.strays };
}
