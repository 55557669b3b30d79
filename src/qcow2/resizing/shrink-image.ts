import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { changeHeader } from './change-header.ts';
import { cutFile } from './cut-file.ts';
import { cutL1 } from './cut-l1.ts';
import { releasePastEnd } from './release-past-end.ts';
import { zeroTail } from './zero-tail.ts';

/**
 * Makes a disk smaller, in an order that leaves the old disk whole or the new one, wherever a crash cuts it:
 *
 * 1. the new size, durable before anything of the old disk is given up. What is past the end then is in nobody's way:
 *    growth takes care of it.
 * 2. the rest of the last cluster reads zeros
 * 3. what lies past the end goes out of the tables, and its storage back to the host; a data file ends with
 *    the disk
 * 4. the L1 table ends with the disk, and the file with its last cluster in use
 *
 * After an error in steps 2 to 4 the disk has its new size, and takes up more space than it needs.
 * @throws CalveError `no-space`, `io`, `corrupt`
 */
export async function shrinkImage(writer: ImageWriter, size: number): Promise<void> {
  const { metadata, parts } = writer;
  await settleMetadata(metadata);
  await changeHeader(writer, { size });
  parts.geometry.size = size;
  await zeroTail(writer);
  await releasePastEnd(writer);
  await parts.guestClusters.resize(size);
  await cutL1(writer);
  await cutFile(writer);
}
