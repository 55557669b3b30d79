import { CalveError } from '../../errors/index.ts';
import type { Digest } from '../../oci/index.ts';
import { persistently } from '../asking/backoff.ts';
import type { RegistryHost } from '../asking/registry-host.ts';
import { deleteScope, pullScope, pushScope } from '../auth/scopes.ts';
import type { TransferProgress } from '../transfer.ts';
import type { BlobSource } from './blob-source.ts';
import type { BlobTarget } from './blob-target.ts';
import { type FoundBlob, findBlob } from './find-blob.ts';
import { memoryTarget } from './memory-target.ts';
import { BlobReading, type ReadBlobOptions, type WantedBlob } from './read-blob.ts';
import { BlobUpload, type Uploaded, type UploadOptions, type UploadTerms } from './upload-blob.ts';
import { UploadSession } from './upload-session.ts';
import { checkUploadState, type UploadState } from './upload-state.ts';

/**
 * The blobs of one repository. Any number of calls may be under way at a time. All throw CalveError: `denied`, `not-found`,
 * `io` (after `retries` tries where another makes sense), `invalid` for a server that breaks the protocol, `aborted`, `closed`.
 */
export class Blobs {
  readonly #host: RegistryHost;
  readonly #repository: string;
  readonly #terms: UploadTerms;

  constructor(host: RegistryHost, repository: string) {
    this.#host = host;
    this.#repository = repository;
    this.#terms = { host, repository, refusesPieces: false };
  }

  /** What the registry says of a blob; undefined when it has none of this name. */
  find(
    digest: Digest,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<FoundBlob | undefined> {
    const { signal } = options;
    return persistently(this.#host.options, signal, () =>
      findBlob(this.#host, digest, [pullScope(this.#repository)], signal),
    );
  }

  /** Whether a blob is there. */
  async has(digest: Digest, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    return (await this.find(digest, options)) !== undefined;
  }

  /**
   * Reads a blob into a file, all of whose bytes are verified when this resolves. What the file holds is taken for the
   * blob's beginning, and gone on from: it is verified too. After an error the file holds what came so far, for another try,
   * or nothing, when that was wrong. Syncing the file is the caller's.
   * @throws CalveError `changed` when the bytes are not those of the digest or not as many; what the file throws
   */
  read(blob: WantedBlob, target: BlobTarget, options: ReadBlobOptions = {}): Promise<TransferProgress> {
    const path = `/v2/${this.#repository}/blobs/${blob.digest}`;
    return new BlobReading(this.#host, path, [pullScope(this.#repository)], blob, target, options).run();
  }

  /**
   * A small blob as a whole, verified.
   * @throws CalveError as `read`; `out-of-range` when it is to have more than `most` bytes (default 4 MiB)
   */
  async bytes(blob: WantedBlob, options: ReadBlobOptions & { readonly most?: number } = {}): Promise<Buffer> {
    const { most = 4 << 20 } = options;
    if (blob.size > most) {
      throw new CalveError(
        'out-of-range',
        `${this.#host.where}: blob ${blob.digest}: expected at most ${most} bytes, got ${blob.size}`,
      );
    }
    const target = memoryTarget(blob.size);
    await this.read(blob, target, options);
    return target.bytes;
  }

  /**
   * Brings a blob there, unless it is. The registry verifies it.
   * @throws CalveError `changed` when the source's bytes are not those of its digest; what the source throws
   */
  upload(source: BlobSource, options: UploadOptions = {}): Promise<Uploaded> {
    return new BlobUpload(this.#terms, source, options).run();
  }

  /** Tells the registry that an upload is not gone on with; nothing happens where it knows nothing of it. */
  async cancel(
    source: BlobSource,
    state: UploadState,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const scene = {
      host: this.#host,
      source,
      scopes: [pushScope(this.#repository)],
      signal: options.signal,
      onSent: () => {},
    };
    await UploadSession.from(scene, checkUploadState(state)).cancel();
  }

  /**
   * Takes a blob out of the repository.
   * @throws CalveError `unsupported` where the registry does not delete
   */
  async delete(digest: Digest, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const response = await this.#host.persistently({
      method: 'DELETE',
      to: `/v2/${this.#repository}/blobs/${digest}`,
      scopes: [deleteScope(this.#repository)],
      expect: [200, 202, 204],
      what: `blob ${digest}: deleting it`,
      signal: options.signal,
    });
    await response.body.discard();
  }
}
