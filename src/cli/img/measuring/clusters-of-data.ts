import type { Range } from '../../../img/index.ts';

/**
 * The bytes of the clusters in which there is data.
 * @param data ranges in order
 */
export async function clustersOfData(data: AsyncIterable<Range>, clusterSize: number): Promise<number> {
  let [sum, counted] = [0, 0];
  for await (const { offset, length } of data) {
    const end = Math.ceil((offset + length) / clusterSize) * clusterSize;
    const start = Math.max(counted, Math.floor(offset / clusterSize) * clusterSize);
    if (end <= start) continue;
    sum += end - start;
    counted = end;
  }
  return sum;
}
