import { openFile } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import type { BlobKind } from './types.ts';

const MAGIC = 'QFI\xfb';

/** What a blob is, by who names it and how it begins. */
export async function blobKind(context: StoreContext, census: Census, digest: Digest): Promise<BlobKind> {
  if (census.manifests.has(digest)) return 'manifest';
  if (census.configs.has(digest)) return 'config';
  await using file = await openFile(context.layout.blob(digest));
  const magic = Buffer.alloc(MAGIC.length);
  await file.read(magic, 0);
  return magic.toString('latin1') === MAGIC ? 'layer' : 'other';
}
