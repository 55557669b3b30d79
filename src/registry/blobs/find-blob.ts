import type { Digest } from '../../oci/index.ts';
import type { RegistryHost } from '../asking/registry-host.ts';

/** What a registry says of a blob that it has. */
export interface FoundBlob {
  /** Bytes; undefined where it does not say. */
  readonly size: number | undefined;
}

/** Whether a repository has a blob, asked once; undefined when it has not. */
export async function findBlob(
  host: RegistryHost,
  digest: Digest,
  scopes: readonly string[],
  signal: AbortSignal | undefined,
): Promise<FoundBlob | undefined> {
  const response = await host.ask({
    method: 'HEAD',
    to: `/v2/${host.repository}/blobs/${digest}`,
    scopes,
    expect: [200, 404],
    what: `blob ${digest}: asking whether it is there`,
    signal,
  });
  await response.body.discard();
  if (response.status !== 200) return undefined;
  const size = Number(response.headers['content-length'] ?? Number.NaN);
  return { size: Number.isSafeInteger(size) && size >= 0 ? size : undefined };
}
