import { CalveError } from '../../errors/index.ts';
import {
  type Descriptor,
  type Digest,
  hexOf,
  type ImageIndex,
  imageIndexSchema,
  MEDIA_TYPE_INDEX,
  parseDocument,
} from '../../oci/index.ts';
import type { RegistryHost } from '../asking/registry-host.ts';
import { pullScope } from '../auth/scopes.ts';
import type { Manifests } from './manifests.ts';
import { pages } from './pages.ts';

export interface ReferrersOptions {
  readonly artifactType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The manifests whose subject is a digest (distribution-spec 1.1, Listing Referrers). A registry without that API keeps them
 * in an index under a tag that is made of the digest, if its clients do.
 */
export async function* listReferrers(
  host: RegistryHost,
  repository: string,
  manifests: Manifests,
  digest: Digest,
  { artifactType, signal }: ReferrersOptions = {},
): AsyncGenerator<Descriptor> {
  // The registry may leave the filtering to its client.
  const wanted = ({ manifests: listed }: ImageIndex) =>
    listed.filter((each) => artifactType === undefined || each.artifactType === artifactType);
  const where = `${host.where}: referrers of ${digest}`;
  const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  const ask = {
    method: 'GET',
    to: `/v2/${repository}/referrers/${digest}${query}`,
    scopes: [pullScope(repository)],
    expect: [200, 404],
    what: `listing referrers of ${digest}`,
    headers: { accept: MEDIA_TYPE_INDEX },
    signal,
  } as const;
  for await (const { response, text } of pages(host, ask)) {
    if (response.status === 404) {
      const index = await fallback(manifests, digest, signal);
      if (index !== undefined) yield* wanted(parseDocument(index, imageIndexSchema, where));
      return;
    }
    yield* wanted(parseDocument(text, imageIndexSchema, where));
  }
}

/** distribution-spec 1.1, Referrers Tag Schema. */
async function fallback(
  manifests: Manifests,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    return (await manifests.get(`sha256-${hexOf(digest)}`, { signal })).bytes.toString();
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}
