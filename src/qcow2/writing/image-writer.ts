import type { BitmapWriter } from '../bitmaps/bitmap-writer.ts';
import { ChangeGate } from '../change-gate.ts';
import { TaskGroup } from '../task-group.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { ClusterZeroer } from './cluster-zeroer.ts';
import { CompressedWriter } from './compressed-writer.ts';
import type { DetectZeroes } from './detect-zeroes.ts';
import { commitLazily, type ImageMetadata, markClean } from './metadata-commit.ts';
import { settleMetadata } from './settle-metadata.ts';
import type { WriterParts } from './writer-parts.ts';
import type { ZeroStorage } from './zero-change.ts';
import { zeroRuns } from './zero-runs.ts';

/** Everything that changes an image. Ranges are checked by the caller. */
export class ImageWriter {
  /** What all that changes the image works on. */
  readonly parts: WriterParts;
  readonly metadata: ImageMetadata;
  /** Changes of parts of the image go through it beside each other, changes of the whole image alone. */
  readonly gate: ChangeGate;
  /** Told of every change of the disk ahead of it, by whoever makes it. */
  readonly bitmaps: BitmapWriter;
  readonly #clusters: ClusterWriter;
  readonly #zeroer: ClusterZeroer;
  readonly #compressed: CompressedWriter;
  readonly #detectZeroes: DetectZeroes;
  #flushing: Promise<void> | undefined;

  constructor(
    parts: WriterParts,
    metadata: ImageMetadata,
    bitmaps: BitmapWriter,
    detectZeroes: DetectZeroes = 'off',
  ) {
    this.parts = parts;
    this.metadata = metadata;
    this.bitmaps = bitmaps;
    this.gate = new ChangeGate(() => bitmaps.begin());
    this.#clusters = new ClusterWriter(parts);
    this.#zeroer = new ClusterZeroer(parts, (from, offset) => this.#clusters.write(from, offset));
    this.#compressed = new CompressedWriter(parts, metadata.header, {
      write: (from, offset) => this.#clusters.write(from, offset),
      writeZeroes: (offset, length) => this.#zeroer.writeZeroes(offset, length, 'punched'),
    });
    this.#detectZeroes = detectZeroes;
  }

  write(from: Uint8Array, offset: number): Promise<void> {
    return this.#marked(offset, from.length, () => {
      if (this.#detectZeroes === 'off') return this.#clusters.write(from, offset);
      return this.#writeDetecting(from, offset, this.#detectZeroes === 'unmap' ? 'punched' : 'kept');
    });
  }

  /** Whole clusters; the disk's last may be short. */
  writeCompressed(from: Uint8Array, offset: number): Promise<void> {
    return this.#marked(offset, from.length, () => this.#compressed.write(from, offset));
  }

  writeZeroes(offset: number, length: number, storage: ZeroStorage): Promise<void> {
    return this.#marked(offset, length, () => this.#zeroer.writeZeroes(offset, length, storage));
  }

  discard(offset: number, length: number): Promise<void> {
    return this.#marked(offset, length, () => this.#zeroer.discard(offset, length));
  }

  /** All that was written before the call is durable. Calls that wait for their turn together become one. */
  flush(): Promise<void> {
    this.#flushing ??= this.parts.mutex.run(() => {
      this.#flushing = undefined;
      return commitLazily(this.metadata);
    });
    return this.#flushing;
  }

  /**
   * Ends what is under way; then as `flush`, stores the bitmaps, and lowers the refcounts on disk of what is no longer
   * used, which a flush leaves for later. The image is clean then.
   */
  async finish(): Promise<void> {
    await this.gate.emptied();
    await this.#compressed.end();
    await this.parts.mutex.run(async () => {
      await settleMetadata(this.metadata);
      await this.bitmaps.store();
      await settleMetadata(this.metadata);
      await markClean(this.metadata);
    });
  }

  /** A change of a range of the disk, in bytes, which the bitmaps hear of first. */
  #marked(offset: number, length: number, change: () => Promise<void>): Promise<void> {
    this.bitmaps.mark(offset, length);
    return this.bitmaps.isFull ? this.bitmaps.makeRoom().then(change) : change();
  }

  /** Drops what is cached. Nothing may be changed any more. */
  forget(): void {
    this.metadata.refcounts.clear();
  }

  async #writeDetecting(from: Uint8Array, offset: number, storage: ZeroStorage): Promise<void> {
    const writes = new TaskGroup();
    for (const { start, end, zero } of zeroRuns(from, offset, this.parts.geometry.clusterSize)) {
      const at = offset + start;
      if (zero) writes.add(this.#zeroer.writeZeroes(at, end - start, storage));
      else writes.add(this.#clusters.write(from.subarray(start, end), at));
    }
    await writes.end();
  }
}
