import { CalveError } from '../../errors/index.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import type { Allocator } from './allocator.ts';
import type { GuestClusters, TakenClusters } from './guest-clusters.ts';
import type { MetadataClusters } from './metadata-clusters.ts';
import type { PendingFrees } from './pending-frees.ts';
import { releaseEntry } from './release-entry.ts';

/** What guest clusters in the image file come from. */
export interface CountedParts {
  readonly file: ImageFile;
  readonly geometry: Geometry;
  readonly allocator: Allocator;
  readonly metadata: MetadataClusters;
  readonly frees: PendingFrees;
}

/** Guest clusters in the image file, whose use refcounts count. What is freed waits among the pending frees. */
export class CountedClusters implements GuestClusters {
  readonly waiting = 0;
  readonly #parts: CountedParts;

  constructor(parts: CountedParts) {
    this.#parts = parts;
  }

  async take(_guest: number, atMost: number): Promise<TakenClusters> {
    const { first, count, fresh } = await this.#parts.allocator.take(atMost);
    return { host: first * this.#parts.geometry.clusterSize, count, fresh };
  }

  async giveBack({ host, count }: TakenClusters): Promise<void> {
    await this.#parts.allocator.release(host / this.#parts.geometry.clusterSize, count);
  }

  check(host: number, length: number, hasData: boolean): void {
    const { file, metadata, geometry } = this.#parts;
    metadata.checkData(host, length);
    if (hasData && host - (host % geometry.clusterSize) >= file.end) {
      throw new CalveError('corrupt', `${file.path}: guest data at ${host} lies past the end of the file`, {
        hint: `qemu-img check -r all ${file.path}`,
        data: { path: file.path, offset: host, size: file.end },
      });
    }
  }

  release(table: L2Table, entry: number, storage: 'kept' | 'punched'): void {
    releaseEntry(table, entry, this.#parts.geometry, this.#parts.frees, storage);
  }

  async resize(): Promise<void> {}

  async barrier(): Promise<void> {}

  async settle(): Promise<void> {}
}
