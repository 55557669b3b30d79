import { isZero } from '../../bytes/index.ts';
import type { ImageWriter } from '../writing/image-writer.ts';

/** Makes the rest of the last cluster, past the end of the disk, read zeros. Where it does so already nothing is written. */
export async function zeroTail(writer: ImageWriter): Promise<void> {
  const { reader, geometry } = writer.parts;
  const { clusterSize, size } = geometry;
  const tail = new Uint8Array((clusterSize - (size % clusterSize)) % clusterSize);
  if (tail.length === 0) return;
  await reader.read(tail, size);
  if (isZero(tail)) return;
  await writer.write(tail.fill(0), size);
}
