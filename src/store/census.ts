import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type Digest, EMPTY_INDEX, type ImageIndex } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { type EnvDocument, readEnvDocument } from './env-document.ts';
import { ENV_DOCUMENT } from './layout.ts';
import { manifestsOf, type OnBroken } from './manifests.ts';
import { readIndex, refsOf } from './ref-index.ts';
import { listFolder } from './staging.ts';
import type { Standing } from './types.ts';
import type { DecodedManifest } from './version-document.ts';

/** Every version of the store and everything that may stand on one. */
export interface Census {
  readonly index: ImageIndex;
  readonly manifests: ReadonlyMap<Digest, DecodedManifest>;
  /** Every config that a manifest names. */
  readonly configs: ReadonlySet<Digest>;
  readonly envs: ReadonlyMap<string, EnvDocument>;
  /** By id. */
  readonly trash: ReadonlyMap<string, EnvDocument>;
}

/**
 * Counts the store. Reads every manifest: for gc, fsck, df and what has gone wrong, not for every day.
 *
 * @param onBroken called for a document that does not parse, which is then left out; without it that is thrown
 */
export async function takeCensus(context: StoreContext, onBroken?: OnBroken): Promise<Census> {
  const { layout } = context;
  const manifests = new Map<Digest, DecodedManifest>();
  for await (const manifest of manifestsOf(context, '', onBroken)) manifests.set(manifest.digest, manifest);
  return {
    index: (await unlessBroken(layout.index, () => readIndex(context), onBroken)) ?? EMPTY_INDEX,
    manifests,
    configs: new Set([...manifests.values()].map((manifest) => manifest.config.digest)),
    envs: await envDocuments(layout.envs, onBroken),
    trash: await envDocuments(layout.trash, onBroken),
  };
}

/** What lies in `envs/` or `trash/`, by name. */
export async function envDocuments(parent: string, onBroken?: OnBroken): Promise<Map<string, EnvDocument>> {
  const found = new Map<string, EnvDocument>();
  for (const name of await listFolder(parent)) {
    const path = join(parent, name, ENV_DOCUMENT);
    const env = await unlessBroken(path, () => readIfThere(path), onBroken);
    if (env !== undefined) found.set(name, env);
  }
  return found;
}

/** undefined when the whole folder went away meanwhile, of which those without the store lock may hear. */
async function readIfThere(path: string): Promise<EnvDocument | undefined> {
  try {
    return await readEnvDocument(path);
  } catch (error) {
    if (CalveError.is(error, 'not-found') && !existsSync(dirname(path))) return undefined;
    throw error;
  }
}

async function unlessBroken<T>(
  path: string,
  read: () => Promise<T>,
  onBroken?: OnBroken,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (onBroken === undefined || !(error instanceof CalveError)) throw error;
    onBroken(path, error);
    return undefined;
  }
}

/** Who stands on a blob, be it a manifest, a config or a layer. */
export function standingOn(census: Census, blob: Digest): Standing {
  const users = [...census.manifests.values()].filter(
    (manifest) => manifest.config.digest === blob || manifest.layers.some((layer) => layer.digest === blob),
  );
  const versions = new Set(users.map((manifest) => manifest.digest));
  const stands = (version: Digest): boolean => version === blob || versions.has(version);
  const namesOf = (documents: ReadonlyMap<string, EnvDocument>): string[] =>
    [...documents].filter(([, document]) => stands(document.version)).map(([name]) => name);
  const refs = refsOf(census.index).filter((ref) => stands(ref.version));
  return {
    versions: [...versions].sort(),
    refs: refs.map((ref) => ref.name),
    envs: namesOf(census.envs),
    trash: namesOf(census.trash),
  };
}
