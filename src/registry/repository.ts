import type { Descriptor, Digest } from '../oci/index.ts';
import type { RegistryHost } from './asking/registry-host.ts';
import { Blobs } from './blobs/blobs.ts';
import { Manifests } from './manifests/manifests.ts';
import { listReferrers, type ReferrersOptions } from './manifests/referrers.ts';
import { listTags } from './manifests/tags.ts';

/** One repository of a registry, with its connections; made by `openRepository`, and used by any number of calls at a time. */
export class Repository implements AsyncDisposable {
  /** `HOST/REPOSITORY`. */
  readonly name: string;
  readonly blobs: Blobs;
  readonly manifests: Manifests;
  readonly #host: RegistryHost;
  readonly #repository: string;

  constructor(host: RegistryHost, repository: string) {
    this.name = host.where;
    this.blobs = new Blobs(host, repository);
    this.manifests = new Manifests(host, repository);
    this.#host = host;
    this.#repository = repository;
  }

  /**
   * The tags, as pages of them arrive.
   * @throws CalveError `not-found` when there is no such repository; as `Blobs`
   */
  tags(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<string> {
    return listTags(this.#host, this.#repository, options.signal);
  }

  /** The manifests whose subject is `digest`, of one type if that is said. */
  referrers(digest: Digest, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return listReferrers(this.#host, this.#repository, this.manifests, digest, options);
  }

  /** Ends all connections: calls under way fail. */
  close(): Promise<void> {
    return this.#host.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
