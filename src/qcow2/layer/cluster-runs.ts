import type { Extent } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';

/** Guest clusters in a row, by number. */
export interface ClusterRun {
  readonly first: number;
  readonly count: number;
  /** All of it is known to read zeros. */
  readonly zero: boolean;
}

/**
 * The clusters that extents touch, each once, in order. A cluster is known to be zero only where one extent that
 * reads zeros covers all of it; how extents are cut therefore never changes what is found in a cluster.
 *
 * @param extents in ascending order, overlaps allowed, within `size`
 * @param size bytes of the disk, whose last cluster may be cut short
 * @param dataEnd where the bytes end that may be other than zero
 * @throws CalveError `out-of-range` for an extent outside the disk, or out of order
 */
export async function* clusterRuns(
  extents: AsyncIterable<Extent>,
  clusterSize: number,
  size: number,
  dataEnd: number = size,
): AsyncGenerator<ClusterRun> {
  const dataClusters = Math.ceil(dataEnd / clusterSize);
  let offset = 0;
  let next = 0;

  function* clustersUpTo(end: number, zero: boolean): Generator<ClusterRun> {
    const data = zero ? next : Math.min(end, dataClusters);
    if (data > next) yield { first: next, count: data - next, zero: false };
    next = Math.max(next, data);
    if (end > next) yield { first: next, count: end - next, zero: true };
    next = Math.max(next, end);
  }

  for await (const extent of extents) {
    const end = extent.offset + extent.length;
    if (!(extent.offset >= offset && extent.length >= 0 && end <= size))
      throw misplaced(extent, offset, size);
    offset = extent.offset;
    if (extent.length === 0) continue;
    const ceiling = Math.ceil(end / clusterSize);
    next = Math.max(next, Math.floor(offset / clusterSize));
    if (extent.kind !== 'data') {
      const firstWhole = Math.ceil(offset / clusterSize);
      const afterWhole = end === size ? ceiling : Math.floor(end / clusterSize);
      if (firstWhole < afterWhole) {
        yield* clustersUpTo(firstWhole, false);
        yield* clustersUpTo(afterWhole, true);
      }
    }
    yield* clustersUpTo(ceiling, false);
  }
}

function misplaced({ offset, length }: Extent, after: number, size: number): CalveError {
  const range = `${length} bytes at ${offset}`;
  return new CalveError('out-of-range', `ranges: expected bytes from ${after} to ${size}, got ${range}`);
}
