import type { HostFile } from '../../host/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { TransferProgress } from '../../registry/index.ts';
import type { LayerInfo } from '../types.ts';

/** How a transfer is watched and ended. */
export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** Where layers come from: a repository of a registry, or the blobs of another store. */
export interface LayerSource extends AsyncDisposable {
  /** What messages call it. */
  readonly name: string;
  /**
   * Reads a layer into a file, all of whose bytes are verified then. What the file holds is taken for its beginning,
   * where the source can be read from the middle.
   */
  layer(layer: LayerInfo, file: HostFile, options: TransferOptions): Promise<TransferProgress>;
}

/**
 * Where a version comes from, with its history. Nothing that it says is trusted: what it hands out has been checked against the
 * digest that it was asked by, and is checked for what it means by whoever asks.
 */
export interface VersionSource extends LayerSource {
  readonly tip: Digest;
  /** Versions that it told of, the tip among them; it may have others. */
  readonly listed: readonly Digest[];
  /** A manifest's bytes; undefined when it has no such one. */
  manifest(digest: Digest, options: TransferOptions): Promise<Buffer | undefined>;
  /** A config's bytes. */
  config(blob: LayerInfo, options: TransferOptions): Promise<Buffer>;
}
