import { CalveError } from '../../errors/index.ts';
import { type Digest, digestOf, isDigest, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST } from '../../oci/index.ts';
import { persistently } from '../asking/backoff.ts';
import type { Ask, RegistryHost } from '../asking/registry-host.ts';
import { deleteScope, pullScope, pushScope } from '../auth/scopes.ts';
import type { HttpResponse } from '../http/message.ts';
import { isTag } from '../reference.ts';
import { agreedMediaType, mediaTypeOf } from './media-type.ts';

/** What registries take at least (distribution-spec 1.1, Pushing manifests), and this side at most. Bytes. */
const MOST = 4 << 20;

/** What can be made something of here; any other is not said, since registries then convert to what old clients knew. */
const ACCEPT = [
  MEDIA_TYPE_MANIFEST,
  MEDIA_TYPE_INDEX,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** A manifest or an index, as it lies there. */
export interface RemoteManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface ManifestOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The manifests of one repository, by tag or digest. Throws CalveError as `Blobs` does, and `usage` for what is neither.
 */
export class Manifests {
  readonly #host: RegistryHost;
  readonly #repository: string;

  constructor(host: RegistryHost, repository: string) {
    this.#host = host;
    this.#repository = repository;
  }

  /**
   * A manifest, verified: against the digest that it was asked for by, and against what the registry calls it.
   * @throws CalveError `not-found`; `changed` when its bytes are others; `out-of-range` when it is larger than 4 MiB
   */
  async get(reference: string, options: ManifestOptions = {}): Promise<RemoteManifest> {
    const what = this.#what(reference);
    const response = await this.#ask('GET', reference, [200], options);
    const { headers } = response;
    const bytes = await response.body.bytes(MOST, `${this.#host.where}: ${what}`);
    const digest = digestOf(bytes);
    const told = headers['docker-content-digest'];
    for (const expected of [isDigest(reference) ? reference : undefined, told]) {
      // The registry may call it by another algorithm's digest.
      if (expected !== undefined && String(expected).startsWith('sha256:') && expected !== digest) {
        throw new CalveError(
          'changed',
          `${this.#host.where}: ${what}: expected ${String(expected)}, got ${digest}`,
          {
            data: { registry: this.#host.host, repository: this.#repository, expected, found: digest },
          },
        );
      }
    }
    const mediaType = agreedMediaType(headers['content-type'], bytes, `${this.#host.where}: ${what}`);
    return { digest, mediaType, bytes };
  }

  /**
   * What a tag points at, or whether a digest is there; undefined when it is not. The digest is the registry's word: `get`
   * verifies it.
   */
  async find(
    reference: string,
    options: ManifestOptions = {},
  ): Promise<{ readonly digest: Digest; readonly mediaType: string | undefined } | undefined> {
    const response = await this.#ask('HEAD', reference, [200, 404], options);
    await response.body.discard();
    if (response.status === 404) return undefined;
    const told = response.headers['docker-content-digest'];
    if (typeof told === 'string' && isDigest(told) && (!isDigest(reference) || told === reference)) {
      return { digest: told, mediaType: mediaTypeOf(response.headers['content-type']) };
    }
    // A registry that says nothing to HEAD, or something else: the bytes tell.
    const { digest, mediaType } = await this.get(reference, options);
    return { digest, mediaType };
  }

  /**
   * Stores a manifest; a tag is moved to it. What it names must be there.
   * @throws CalveError `out-of-range` for more than 4 MiB; `changed` when the registry calls it by another digest
   */
  async put(
    reference: string,
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    options: ManifestOptions = {},
  ): Promise<Digest> {
    const { bytes, mediaType } = manifest;
    const what = `${this.#what(reference)}: storing it`;
    if (bytes.length > MOST) {
      throw new CalveError(
        'out-of-range',
        `${this.#host.where}: ${what}: expected at most ${MOST} bytes, got ${bytes.length}`,
      );
    }
    const digest = digestOf(bytes);
    const ask: Ask = {
      method: 'PUT',
      to: this.#path(reference),
      scopes: [pushScope(this.#repository)],
      expect: [201, 200, 202, 204],
      what,
      headers: { 'content-type': mediaType },
      body: {
        length: bytes.length,
        async *open() {
          yield bytes;
        },
      },
      signal: options.signal,
    };
    const response = await persistently(this.#host.options, options.signal, async () => {
      try {
        return await this.#host.ask(ask);
      } catch (error) {
        throw mayPass(error);
      }
    });
    await response.body.discard();
    const told = response.headers['docker-content-digest'];
    if (told === undefined || told === digest) return digest;
    throw new CalveError(
      'changed',
      `${this.#host.where}: ${what}: expected ${digest}, got ${JSON.stringify(told)}`,
      {
        data: { registry: this.#host.host, repository: this.#repository, expected: digest },
      },
    );
  }

  /**
   * Takes away a manifest and all tags that point at it, or, where the registry can, a tag alone.
   * @throws CalveError `unsupported` where the registry does not delete
   */
  async delete(reference: string, options: ManifestOptions = {}): Promise<void> {
    const response = await this.#host.persistently({
      method: 'DELETE',
      to: this.#path(reference),
      scopes: [deleteScope(this.#repository)],
      expect: [200, 202, 204],
      what: `${this.#what(reference)}: deleting it`,
      signal: options.signal,
    });
    await response.body.discard();
  }

  #ask(
    method: 'GET' | 'HEAD',
    reference: string,
    expect: readonly number[],
    { signal }: ManifestOptions,
  ): Promise<HttpResponse> {
    return this.#host.persistently({
      method,
      to: this.#path(reference),
      scopes: [pullScope(this.#repository)],
      expect,
      what: this.#what(reference),
      headers: { accept: ACCEPT },
      signal,
    });
  }

  #path(reference: string): string {
    if (isDigest(reference) || isTag(reference)) return `/v2/${this.#repository}/manifests/${reference}`;
    throw new CalveError(
      'usage',
      `${this.#host.where}: expected a tag or a digest, got ${JSON.stringify(reference)}`,
    );
  }

  #what(reference: string): string {
    return isDigest(reference) ? `manifest ${reference}` : `tag ${reference}`;
  }
}

/**
 * A digest that is called wrong, of a manifest that we sent with its own, is worth another try: docker-registry 2 says so
 * also while somebody else pushes a blob that the manifest names, whose link it finds empty for a moment.
 */
function mayPass(error: unknown): unknown {
  if (!CalveError.is(error) || error.data['registryCode'] !== 'DIGEST_INVALID') return error;
  return new CalveError(error.code, error.message, {
    cause: error,
    data: { ...error.data, temporary: true },
  });
}
