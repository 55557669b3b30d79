import { openFile } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import { isQcow2File } from './is-qcow2-file.ts';
import type { BlobKind } from './types.ts';

/** What a blob is, by who names it and how it begins. */
export async function blobKind(context: StoreContext, census: Census, digest: Digest): Promise<BlobKind> {
  if (census.manifests.has(digest)) return 'manifest';
  if (census.configs.has(digest)) return 'config';
  return kindAsItBegins(context, digest);
}

/** What a blob that no version names is: a layer, or other. */
export async function kindAsItBegins(context: StoreContext, digest: Digest): Promise<BlobKind> {
  await using file = await openFile(context.layout.blob(digest));
  return (await isQcow2File(file)) ? 'layer' : 'other';
}
