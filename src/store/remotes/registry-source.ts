import { CalveError } from '../../errors/index.ts';
import type { HostFile } from '../../host/index.ts';
import type { Digest } from '../../oci/index.ts';
import {
  formatReference,
  type RegistryReference,
  type Repository,
  type TransferProgress,
} from '../../registry/index.ts';
import { LARGEST_MANIFEST } from '../manifests.ts';
import type { LayerInfo } from '../types.ts';
import { decodePushed } from './pushed-ref.ts';
import { reservingTarget } from './reserving-target.ts';
import type { LayerSource, TransferOptions, VersionSource } from './version-source.ts';

/**
 * The version that a tag or digest of a repository stands for, and its history. The repository is closed with it.
 * @throws CalveError `not-found`; `unsupported` for what is no version
 */
export async function openRegistrySource(
  repository: Repository,
  reference: RegistryReference,
  options: TransferOptions = {},
): Promise<VersionSource> {
  const name = formatReference(reference);
  const { tag = 'latest', digest } = reference;
  const document = await repository.manifests.get(digest ?? tag, { signal: options.signal });
  const [tip, ...older] = decodePushed(document, name);
  const listed = [tip.digest, ...older.map((each) => each.digest)] as const;
  return new RegistrySource(name, repository, listed, document);
}

/** The layers of a repository, which is closed with it. */
export class RegistryLayers implements LayerSource {
  readonly name: string;
  readonly repository: Repository;

  constructor(name: string, repository: Repository) {
    this.name = name;
    this.repository = repository;
  }

  layer(layer: LayerInfo, file: HostFile, options: TransferOptions): Promise<TransferProgress> {
    return this.repository.blobs.read(layer, reservingTarget(file, layer.size), options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.repository.close();
  }
}

class RegistrySource extends RegistryLayers implements VersionSource {
  readonly tip: Digest;
  readonly listed: readonly Digest[];
  /** What was read first, which may be a manifest itself. */
  readonly #first: { readonly digest: Digest; readonly bytes: Buffer };

  constructor(
    name: string,
    repository: Repository,
    listed: readonly [Digest, ...Digest[]],
    first: { readonly digest: Digest; readonly bytes: Buffer },
  ) {
    super(name, repository);
    [this.tip] = listed;
    this.listed = listed;
    this.#first = first;
  }

  async manifest(digest: Digest, { signal }: TransferOptions): Promise<Buffer | undefined> {
    if (digest === this.#first.digest) return this.#first.bytes;
    try {
      return (await this.repository.manifests.get(digest, { signal })).bytes;
    } catch (error) {
      if (CalveError.is(error, 'not-found')) return undefined;
      throw error;
    }
  }

  config(blob: LayerInfo, { signal }: TransferOptions): Promise<Buffer> {
    return this.repository.blobs.bytes(blob, { signal, most: LARGEST_MANIFEST });
  }
}
