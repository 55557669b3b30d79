import { formatBytes } from '../bytes/index.ts';
import type { ImportResult, NearestSearch } from '../store/index.ts';
import { shortDigest } from './short-digest.ts';

/** Bytes of a cluster of a layer. */
const CLUSTER = 65536;

/** What `--onto auto` found, ahead of the work; undefined when the store has nothing to compare with. */
export function describeNearest({
  version,
  ref,
  compared,
  sampled,
  equal,
}: NearestSearch): string | undefined {
  if (compared === 0 || sampled === 0) return undefined;
  const share = `${equal} of ${sampled} sampled clusters`;
  if (version === null) {
    return `no version is near: the nearest of ${compared} has ${share}; storing the whole disk`;
  }
  const name = [ref, `(${shortDigest(version)})`].filter((word) => word !== null).join(' ');
  return `nearest is ${name}, which has ${share}: storing the difference`;
}

/** How much of the disk's data was not stored again, because the version below has it. */
export function describeSpared({ version, summary }: ImportResult): string | undefined {
  if (version.parents.length === 0) return undefined;
  const { dataClusters, equalDataClusters } = summary;
  const percent = Math.floor((100 * equalDataClusters) / Math.max(1, dataClusters + equalDataClusters));
  return `${formatBytes(equalDataClusters * CLUSTER)} of its data (${percent}%) are its parent's and were not stored again`;
}
