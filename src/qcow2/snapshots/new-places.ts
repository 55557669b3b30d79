import type { ImageWriter } from '../writing/image-writer.ts';
import type { MetadataKind } from '../writing/metadata-clusters.ts';
import type { HostRange } from '../writing/refcount-table.ts';

/** Structures at new places, which nothing on disk points at yet. */
export class NewPlaces {
  readonly #writer: ImageWriter;
  readonly #taken: HostRange[] = [];

  constructor(writer: ImageWriter) {
    this.#writer = writer;
  }

  /** Writes a structure to clusters of its own. What has no bytes lies nowhere: at 0. */
  async write(kind: MetadataKind, bytes: Uint8Array): Promise<HostRange> {
    const { file, allocator, metadata, geometry } = this.#writer.parts;
    if (bytes.length === 0) return { offset: 0, length: 0 };
    const clusters = Math.ceil(bytes.length / geometry.clusterSize);
    const { offset, length } = await allocator.takeFor(kind, clusters);
    this.#taken.push({ offset, length });
    metadata.checkMetadata(kind, offset, length);
    // All of the clusters, as they may have held something else.
    const whole = new Uint8Array(length);
    whole.set(bytes);
    await file.write(whole, offset);
    return { offset, length: bytes.length };
  }

  /** Gives all of them back. */
  async takeBack(): Promise<void> {
    for (const range of this.#taken.splice(0)) await release(this.#writer, range);
  }
}

/** Gives the clusters of a structure back, which nothing on disk points at any more. */
export async function release(writer: ImageWriter, { offset, length }: HostRange): Promise<void> {
  if (length === 0) return;
  const { clusterSize } = writer.parts.geometry;
  const first = Math.floor(offset / clusterSize);
  await writer.parts.allocator.release(first, Math.ceil((offset + length) / clusterSize) - first);
}
