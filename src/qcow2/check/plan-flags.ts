import { maxRefcount } from '../refcount-entry.ts';
import { ClusterBits } from './cluster-bits.ts';
import type { CountedWindows } from './counted-windows.ts';
import { visitRefcounts, type WantedRefcount } from './mend-refcounts.ts';
import type { Survey } from './survey.ts';

/** What COPIED flags are to say: two bits a cluster, for all windows together. */
export interface FlagPlan {
  /** The clusters whose refcount is to be one: COPIED may stay, or is cleared. */
  readonly ones: ClusterBits;
  /** Those of them where it is to be set. */
  readonly set: ClusterBits;
}

/**
 * Plans the COPIED flags for refcounts as they are to be. A narrow refcount can say one of a cluster that is referred
 * to twice; COPIED is not set there, whatever a check makes of that, because a writer would believe it.
 * @param lowered whether to set COPIED only where a refcount is lowered to one
 */
export async function planFlags(
  survey: Survey,
  windows: CountedWindows,
  wanted: WantedRefcount,
  lowered: boolean,
): Promise<FlagPlan> {
  const most = maxRefcount(survey.geometry.refcountBits);
  const clusters = survey.geometry.clusters + 1;
  const plan = { ones: new ClusterBits(0, clusters), set: new ClusterBits(0, clusters) };
  for await (const counts of windows) {
    await visitRefcounts(survey, counts, (cluster, stored, counted) => {
      const want = wanted(stored, Math.min(counted, most));
      if (want !== 1) return;
      plan.ones.set(cluster);
      if (counted <= 1 && (!lowered || want < stored)) plan.set.set(cluster);
    });
  }
  return plan;
}
