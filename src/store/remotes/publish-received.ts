import { statFile } from '../../host/index.ts';
import type { StoreContext } from '../context.ts';
import { inParallel } from '../in-parallel.ts';
import { BLOB_MODE, publishVersions, type StagedVersion } from '../publish.ts';
import { type Staging, writeStaged } from '../staging.ts';
import { isAsItWas, type PartialLayer } from './partial-layer.ts';
import type { ReceivedVersion } from './receive-history.ts';

const AT_A_TIME = 16;

/** A version whose layers have come by themselves. */
type StagedDocuments = Pick<StagedVersion, 'config' | 'manifest'>;

/** Makes the documents of versions that came durable in staging; parents before children. */
export async function stageReceived(
  staging: Staging,
  versions: readonly ReceivedVersion[],
): Promise<StagedDocuments[]> {
  const parentsFirst = [...versions].reverse();
  const staged = parentsFirst.flatMap(({ document, bytes }, at) => {
    if (bytes === null) return [];
    const config = { path: staging.path(`${at}.config.json`), digest: document.configDigest };
    const manifest = { path: staging.path(`${at}.manifest.json`), digest: document.digest };
    return [{ config, manifest, bytes }];
  });
  await inParallel(staged, AT_A_TIME, async ({ config, manifest, bytes }) => {
    await writeStaged(config.path, bytes.config, BLOB_MODE);
    await writeStaged(manifest.path, bytes.manifest, BLOB_MODE);
  });
  return staged;
}

/**
 * Puts layers that came, then versions, in place. The store lock is held.
 * @returns false, with nothing done, when somebody else has one of the layers under way: to be tried again
 */
export async function publishReceived(
  context: StoreContext,
  layers: readonly PartialLayer[],
  versions: readonly StagedDocuments[],
): Promise<boolean> {
  const isThere = ({ layer }: PartialLayer): boolean =>
    statFile(context.layout.blob(layer.digest)) !== undefined;
  const own = layers.filter((each) => !isThere(each));
  if (!own.every(isAsItWas)) return false;
  const blobs = own.map(({ layer, path }) => ({ digest: layer.digest, path }));
  await publishVersions(context, blobs, versions);
  return true;
}
