import { ENTRY_SIZE } from '../constants.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { commitMetadata } from '../writing/metadata-commit.ts';
import type { FreeOptions } from '../writing/pending-frees.ts';
import type { HostRange } from '../writing/refcount-table.ts';
import { changeHeader } from './change-header.ts';

const OLD_TABLE: FreeOptions = { flagged: false, punch: false };

/**
 * Gives the L1 table room for so many entries at least, at a new place of one piece (trap 30). Nothing is dirty. The
 * table and its refcounts are durable before the header names it, and the old place is given back after that.
 */
export async function extendL1(writer: ImageWriter, entries: number): Promise<void> {
  const { l1, frees } = writer.metadata;
  if (entries <= l1.length) return;
  const old: HostRange = { offset: l1.offset, length: l1.length * ENTRY_SIZE };
  const bytes = new Uint8Array(entries * ENTRY_SIZE);
  bytes.set(l1.encoded());
  const { offset } = await writeTable(writer, bytes);
  await changeHeader(writer, { l1Offset: offset, l1Size: entries });
  l1.replace(bytes, offset);
  if (old.length > 0) frees.add(old.offset, old.length, OLD_TABLE);
}

async function writeTable(writer: ImageWriter, bytes: Uint8Array): Promise<HostRange> {
  const { allocator, geometry } = writer.parts;
  const { file, clusters } = writer.metadata;
  const { clusterSize } = geometry;
  const place = await allocator.takeFor('L1 table', Math.ceil(bytes.length / clusterSize));
  try {
    clusters.checkMetadata('L1 table', place.offset, place.length);
    await file.write(bytes, place.offset);
    await commitMetadata(writer.metadata);
    return place;
  } catch (error) {
    // Nothing names the new table yet. What cannot be given back is a leak; the error that counts is the first.
    const [first, count] = [place.offset / clusterSize, place.length / clusterSize];
    await allocator.release(first, count).catch(() => undefined);
    throw error;
  }
}
