import { readFile } from 'node:fs/promises';
import { systemError } from '../../errors/index.ts';
import { type Digest, MEDIA_TYPE_MANIFEST } from '../../oci/index.ts';
import { blobSourceOfBytes, type Repository } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { inParallel } from '../in-parallel.ts';
import type { VersionDocument } from '../version-document.ts';

const AT_A_TIME = 8;

/**
 * Brings the documents of versions to a repository whose layers are there.
 * @param known versions that the repository has, and that are not asked for
 */
export async function sendDocuments(
  context: StoreContext,
  repository: Repository,
  versions: readonly VersionDocument[],
  known: ReadonlySet<Digest>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await inParallel(versions, AT_A_TIME, async ({ digest, configDigest }) => {
    if (known.has(digest)) return;
    if ((await repository.manifests.find(digest, { signal })) !== undefined) return;
    const config = await readBlob(context, configDigest);
    await repository.blobs.upload(blobSourceOfBytes(config, configDigest), { signal });
    const manifest = { bytes: await readBlob(context, digest), mediaType: MEDIA_TYPE_MANIFEST };
    await repository.manifests.put(digest, manifest, { signal });
  });
}

async function readBlob(context: StoreContext, blob: Digest): Promise<Buffer> {
  const path = context.layout.blob(blob);
  try {
    return await readFile(path);
  } catch (error) {
    throw systemError(`cannot read ${path}`, error);
  }
}
