import { type Disk, extentsOf } from '../../disk/index.ts';
import { type ClusterRun, clusterRuns } from './cluster-runs.ts';

/**
 * Leaves out the clusters that need no look: those that are known to be zero in the source, and in the parent too,
 * as far as its extents tell. Where there is no parent it reads zeros.
 */
export async function* runsToRead(
  runs: AsyncIterable<ClusterRun>,
  parent: Disk | undefined,
  clusterSize: number,
  size: number,
): AsyncGenerator<ClusterRun> {
  const parentEnd = Math.min(parent?.size ?? 0, size);
  for await (const run of runs) {
    if (!run.zero) yield run;
    if (!run.zero || !parent) continue;
    const start = run.first * clusterSize;
    const length = Math.min(run.count * clusterSize, parentEnd - start);
    if (length <= 0) continue;
    for await (const { first, count, zero } of clusterRuns(
      extentsOf(parent, start, length),
      clusterSize,
      parentEnd,
    )) {
      if (!zero) yield { first, count, zero: true };
    }
  }
}
