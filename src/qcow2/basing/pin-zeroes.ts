import { ClusterZeroer } from '../writing/cluster-zeroer.ts';
import type { ImageWriter } from '../writing/image-writer.ts';

/** Zeros written as data, a piece at a time. */
const ZEROS = new Uint8Array(1 << 20);

/**
 * Makes whole clusters, or subclusters, read zeros by what the image itself says, whatever backing file it is going to
 * have: also where they read zeros already because no backing file holds anything there.
 */
export async function pinZeroes(writer: ImageWriter, offset: number, length: number): Promise<void> {
  const { version } = writer.parts.geometry;
  if (version >= 3) {
    const zeroer = new ClusterZeroer({ ...writer.parts, namesBacking: true }, (from, at) =>
      writer.write(from, at),
    );
    return zeroer.writeZeroes(offset, length, 'punched');
  }
  // Version 2 has no way to say it but data.
  for (let at = offset; at < offset + length; at += ZEROS.length) {
    await writer.write(ZEROS.subarray(0, Math.min(ZEROS.length, offset + length - at)), at);
  }
}
