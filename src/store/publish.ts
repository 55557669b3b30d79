import { rename } from 'node:fs/promises';
import { systemError } from '../errors/index.ts';
import { openFile, statFile, syncFolder } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { hashFile } from './hash-file.ts';
import { checkMayFreeze, despiteImmutable, freeze } from './immutable.ts';
import { type Staging, sealStaged, writeStaged } from './staging.ts';
import { hasStamp, writeStamp } from './stamps.ts';
import { readConfig } from './store-config.ts';
import type { EncodedVersion } from './version-document.ts';

/** Nobody writes a blob. */
export const BLOB_MODE = 0o444;

/** A version in staging, durable, ready to be published. */
export interface StagedVersion {
  /** Its own layers, those that the store may not have, base first. */
  readonly layers: readonly StagedBlob[];
  readonly config: StagedBlob;
  readonly manifest: StagedBlob;
}

export interface StagedBlob {
  readonly path: string;
  readonly digest: Digest;
}

/**
 * Makes a version's files durable in staging.
 * @param name of its documents there, for a writer of several versions
 */
export async function stageVersion(
  staging: Staging,
  layers: readonly StagedBlob[],
  version: EncodedVersion,
  name = 'version',
): Promise<StagedVersion> {
  for (const layer of layers) {
    await using file = await openFile(layer.path, { writable: true });
    await sealStaged(file, BLOB_MODE);
  }
  const config = { path: staging.path(`${name}.config.json`), digest: version.document.configDigest };
  const manifest = { path: staging.path(`${name}.manifest.json`), digest: version.document.digest };
  await writeStaged(config.path, version.config, BLOB_MODE);
  await writeStaged(manifest.path, version.manifest, BLOB_MODE);
  return { layers, config, manifest };
}

/**
 * Moves a version's blobs into `blobs/`, each after those that it names, so that a manifest is never there without
 * what it needs. The store lock is held, in which the ref or env that needs them moves too.
 */
export function publishVersion(context: StoreContext, version: StagedVersion): Promise<void> {
  return publishVersions(context, version.layers, [version]);
}

/**
 * As `publishVersion`, of several, parents before children, and of all layers that they have of their own, each behind the
 * one below it.
 */
export async function publishVersions(
  context: StoreContext,
  layers: readonly StagedBlob[],
  versions: readonly Pick<StagedVersion, 'config' | 'manifest'>[],
): Promise<void> {
  const { immutable } = await readConfig(context);
  if (immutable) await checkMayFreeze(layers.map((layer) => layer.path));
  for (const layer of layers) await publish(context, layer, 'layer');
  for (const { config, manifest } of versions) {
    await publish(context, config, 'config');
    await publish(context, manifest, 'manifest');
  }
  await syncFolder(context.layout.blobs);
  for (const layer of layers) {
    if (immutable) await freeze(context.layout.blob(layer.digest));
    const stat = statFile(context.layout.blob(layer.digest));
    if (stat !== undefined) writeStamp(context, layer.digest, stat);
  }
}

async function publish(context: StoreContext, blob: StagedBlob, kind: string): Promise<void> {
  const target = context.layout.blob(blob.digest);
  // Bytes that are there already stay, with the readers of their file; what is there and harmed is mended.
  if (await isWhole(context, blob.digest, target)) return;
  context.step(`publish ${kind}`);
  try {
    await despiteImmutable(target, () => rename(blob.path, target));
  } catch (error) {
    throw systemError(`cannot rename ${blob.path} to ${target}`, error);
  }
}

async function isWhole(context: StoreContext, digest: Digest, path: string): Promise<boolean> {
  const stat = statFile(path);
  if (stat === undefined) return false;
  return hasStamp(context, digest, stat) || (await hashFile(path)).digest === digest;
}
