import type { HeaderChange } from '../image-header.ts';
import type { ImageMetadata } from '../writing/metadata-commit.ts';

/**
 * The incompatible feature bit `dirty`, set while COPIED flags and refcounts disagree on disk, so that whoever opens the
 * image after a crash repairs it first. Version 2 has no such bit; one that was set before stays.
 */
export class RepairMark {
  readonly #metadata: ImageMetadata;
  readonly #wanted: boolean;

  constructor(metadata: ImageMetadata) {
    this.#metadata = metadata;
    const { version, incompatible } = metadata.header.current;
    this.#wanted = version >= 3 && !incompatible.has('dirty');
  }

  /** The change of the header that sets it. */
  get setting(): HeaderChange {
    return this.#change(true);
  }

  /** The change of the header that clears it. */
  get clearing(): HeaderChange {
    return this.#change(false);
  }

  /** Sets it; durable when this resolves. */
  set(): Promise<void> {
    return this.#patch(this.setting);
  }

  /** Clears it, once everything written before is durable. */
  async clear(): Promise<void> {
    await this.#metadata.file.barrier();
    await this.#patch(this.clearing);
  }

  #change(dirty: boolean): HeaderChange {
    const { incompatible } = this.#metadata.header.current;
    if (!this.#wanted || incompatible.has('dirty') === dirty) return {};
    const next = new Set(incompatible);
    if (dirty) next.add('dirty');
    else next.delete('dirty');
    return { incompatible: next };
  }

  async #patch(change: HeaderChange): Promise<void> {
    if (change.incompatible === undefined) return;
    await this.#metadata.header.patch(change);
    await this.#metadata.file.barrier();
  }
}
