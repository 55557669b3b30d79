import type { Disk } from '../../disk/index.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { changeHeader } from './change-header.ts';
import { extendL1 } from './extend-l1.ts';
import { preallocateRange } from './preallocate-range.ts';
import { releasePastEnd } from './release-past-end.ts';
import type { ResizeOptions } from './resize-options.ts';
import { zeroPastEnd } from './zero-past-end.ts';

/**
 * Makes a disk larger, in an order that leaves the old size or the new one, wherever a crash cuts it:
 *
 * 1. an L1 table that covers the new size, at a new place; then the header that names it (trap 30). That it covers more
 *    than the disk is nothing unusual.
 * 2. what lies past the end of the disk reads zeros, and has its place where it is preallocated
 * 3. when all that is durable, the new size
 *
 * After an error the disk has its old size, and what was done is undone as far as can be.
 * @throws CalveError `no-space`, `io`, `corrupt`; the signal's reason
 */
export async function growImage(
  writer: ImageWriter,
  backing: Disk | null,
  size: number,
  options: ResizeOptions,
): Promise<void> {
  const { metadata, parts } = writer;
  const { geometry } = parts;
  await settleMetadata(metadata);
  await extendL1(writer, Math.ceil(size / geometry.tableCovers));
  try {
    await zeroPastEnd(writer, backing, size);
    await preallocateRange(writer, geometry.size, size, options);
    await parts.guestClusters.resize(size);
    await settleMetadata(metadata);
  } catch (error) {
    // What is left past the end of the disk takes up space, and nothing worse; the error that counts is the first.
    await undo(writer).catch(() => undefined);
    throw error;
  }
  await changeHeader(writer, { size });
  geometry.size = size;
}

async function undo(writer: ImageWriter): Promise<void> {
  await releasePastEnd(writer);
  await settleMetadata(writer.metadata);
}
