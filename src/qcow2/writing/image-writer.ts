import { ChangeGate } from '../change-gate.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { ClusterZeroer } from './cluster-zeroer.ts';
import { commitLazily, type ImageMetadata, markClean } from './metadata-commit.ts';
import { settleMetadata } from './settle-metadata.ts';
import type { WriterParts } from './writer-parts.ts';
import type { ZeroStorage } from './zero-change.ts';

/** Everything that changes an image. Ranges are checked by the caller. */
export class ImageWriter {
  /** What all that changes the image works on. */
  readonly parts: WriterParts;
  readonly metadata: ImageMetadata;
  /** Changes of parts of the image go through it beside each other, changes of the whole image alone. */
  readonly gate: ChangeGate = new ChangeGate();
  readonly #clusters: ClusterWriter;
  readonly #zeroer: ClusterZeroer;
  #flushing: Promise<void> | undefined;

  constructor(parts: WriterParts, metadata: ImageMetadata) {
    this.parts = parts;
    this.metadata = metadata;
    this.#clusters = new ClusterWriter(parts);
    this.#zeroer = new ClusterZeroer(parts, (from, offset) => this.write(from, offset));
  }

  write(from: Uint8Array, offset: number): Promise<void> {
    return this.#clusters.write(from, offset);
  }

  writeZeroes(offset: number, length: number, storage: ZeroStorage): Promise<void> {
    return this.#zeroer.writeZeroes(offset, length, storage);
  }

  discard(offset: number, length: number): Promise<void> {
    return this.#zeroer.discard(offset, length);
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
   * Ends what is under way; then as `flush`, and lowers the refcounts on disk of what is no longer used, which a flush
   * leaves for later. The image is clean then.
   */
  async finish(): Promise<void> {
    await this.gate.emptied();
    await this.parts.mutex.run(async () => {
      await settleMetadata(this.metadata);
      await markClean(this.metadata);
    });
  }

  /** Drops what is cached. Nothing may be changed any more. */
  forget(): void {
    this.metadata.refcounts.clear();
  }
}
