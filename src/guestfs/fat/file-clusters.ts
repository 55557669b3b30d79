import type { ClusterRun, ClusterWalk } from './cluster-walk.ts';
import { corrupt } from './corrupt.ts';

/**
 * The runs of clusters `from` to `end` (exclusive) of a chain that must reach so far.
 *
 * @param walk at `from` or before
 * @throws CalveError `corrupt`
 */
export async function* fileClusters(
  walk: ClusterWalk,
  from: number,
  end: number,
  where: string,
): AsyncGenerator<ClusterRun> {
  const goTo = async (index: number): Promise<void> => {
    while (walk.index < index) {
      if (!(await walk.advance())) {
        throw corrupt(
          where,
          `its chain ends after ${walk.index + 1} clusters, its size takes ${end} or more`,
        );
      }
      await walk.run(index - walk.index + 1);
    }
  };
  for (let at = from; at < end; ) {
    await goTo(at);
    const run = await walk.run(end - at);
    yield run;
    at += run.count;
  }
}
