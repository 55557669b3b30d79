import { CalveError } from '../../errors/index.ts';
import { layOutLayer } from './layer-layout.ts';
import type { LayerGeometry } from './layer-options.ts';
import type { StagedLayer } from './staged-layer.ts';

/**
 * What one more guest cluster takes at the most: a table for it, its data, and where a refcount cannot grow, the rest
 * of the host cluster before that.
 */
const MOST_TABLES = 1;
const MOST_CLUSTERS = 2;

/** Ends a layer ahead of the first cluster with which its file might have more bytes than allowed. */
export class LayerLimit {
  readonly #geometry: LayerGeometry;
  readonly #staged: StagedLayer;
  readonly #maxFileSize: number;
  #cutAt: number | undefined;

  /** @throws CalveError `usage` for a limit in which no cluster is sure to fit, naming the least one */
  constructor(geometry: LayerGeometry, staged: StagedLayer, maxFileSize: number) {
    this.#geometry = geometry;
    this.#staged = staged;
    this.#maxFileSize = maxFileSize;
    const least = this.#sizeWithOneMore();
    if (least <= maxFileSize) return;
    throw new CalveError(
      'usage',
      `the largest layer: expected at least ${least} bytes for a disk of ${geometry.size}, got ${maxFileSize}`,
      { data: { least, maxFileSize } },
    );
  }

  /** The guest cluster at which the layer ends; undefined while all have fitted. */
  get cutAt(): number | undefined {
    return this.#cutAt;
  }

  /** Whether this guest cluster, too, is sure to fit. After a no the layer takes none. */
  admits(guest: number): boolean {
    if (this.#sizeWithOneMore() <= this.#maxFileSize) return true;
    this.#cutAt = guest;
    return false;
  }

  #sizeWithOneMore(): number {
    const { tables, plainCounts, compressed } = this.#staged;
    return layOutLayer(this.#geometry, {
      tables: tables.length + MOST_TABLES,
      plainClusters: plainCounts.length,
      compressedLength: compressed.length + MOST_CLUSTERS * this.#geometry.clusterSize,
    }).fileSize;
  }
}
