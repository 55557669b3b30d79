import type { Geometry } from '../geometry.ts';
import { allSubclusters, type ClusterEntry } from '../mapping/cluster-entry.ts';

/** What becomes of the storage of clusters that read zeros from now on. */
export type ZeroStorage = 'kept' | 'punched';

/**
 * What an L2 entry needs so that some of its subclusters read zeros: nothing, as they do; other bits; other bits and no
 * cluster any more; or `data`, because it cannot say so and zeros have to be written.
 */
export type ZeroChange = 'none' | 'bits' | 'release' | 'data';

/** What zeroes are made of. */
export interface ZeroRequest {
  readonly geometry: Pick<Geometry, 'subclusters'>;
  readonly storage: ZeroStorage;
  /** Under a backing file's name an entry without zero bits would show what is in that file. */
  readonly namesBacking: boolean;
}

/**
 * The change that an entry needs. A cluster is given up when it has no data left, or when all of it is to read zeros and
 * others have a part in it. Pure.
 * @param subclusters those that are to read zeros
 */
export function zeroChange(entry: ClusterEntry, subclusters: number, request: ZeroRequest): ZeroChange {
  const { geometry, storage, namesBacking } = request;
  const whole = subclusters === allSubclusters(geometry);
  if (entry.owned === 'compressed') return whole ? 'release' : 'data';
  const shown = namesBacking ? subclusters & ~entry.zero : subclusters & entry.alloc;
  if (entry.owned === 'cluster') {
    const isLeft = storage === 'punched' && (entry.alloc & ~subclusters) === 0;
    if (isLeft || (whole && !entry.copied && shown !== 0)) return 'release';
  }
  return shown === 0 ? 'none' : 'bits';
}

/** Makes the change in an entry in memory; for `bits` and `release`. */
export function zeroEntry(
  entry: ClusterEntry,
  subclusters: number,
  change: ZeroChange,
  { namesBacking }: ZeroRequest,
): void {
  entry.zero = (entry.zero | subclusters) >>> 0;
  entry.alloc = (entry.alloc & ~subclusters) >>> 0;
  if (change !== 'release') return;
  entry.owned = 'nothing';
  entry.alloc = 0;
  if (!namesBacking) entry.zero = 0;
}
