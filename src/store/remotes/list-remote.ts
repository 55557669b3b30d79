import { join } from 'node:path';
import { CalveError } from '../../errors/index.ts';
import {
  ANNOTATION_REF_NAME,
  imageIndexSchema,
  MEDIA_TYPE_INDEX,
  MEDIA_TYPE_MANIFEST,
  parseDocument,
} from '../../oci/index.ts';
import { openRepository } from '../../registry/index.ts';
import type { RemoteOptions } from '../options.ts';
import { readText } from '../read-text.ts';
import type { RemoteRef } from '../types.ts';
import { decodeConfig, decodeManifest } from '../version-document.ts';
import { openLayoutSource } from './layout-source.ts';
import { openRegistrySource } from './registry-source.ts';
import { parseRemote } from './remote-name.ts';
import type { VersionSource } from './version-source.ts';

/**
 * What has a name at a remote, in the order in which the remote tells it.
 * @throws CalveError as speaking to it does; `not-found`
 */
export async function* listRemote(text: string, options: RemoteOptions): AsyncGenerator<RemoteRef> {
  const remote = parseRemote(text);
  if (remote.kind === 'folder') {
    yield* listFolder(remote.folder, remote.ref);
    return;
  }
  const { reference } = remote;
  const { signal } = options;
  await using repository = openRepository(reference, options.registry);
  const tags =
    reference.tag === undefined ? repository.tags(signal === undefined ? {} : { signal }) : [reference.tag];
  for await (const tag of tags) {
    const named = { host: reference.host, repository: reference.repository, tag };
    yield await describe(tag, () => openRegistrySource(repository, named, { signal }), signal);
  }
}

async function* listFolder(folder: string, only: string | null): AsyncGenerator<RemoteRef> {
  const path = join(folder, 'index.json');
  const index = parseDocument(await readText(path), imageIndexSchema, path);
  for (const { mediaType, annotations } of index.manifests) {
    const name = annotations?.[ANNOTATION_REF_NAME];
    if (name === undefined || (only !== null && name !== only)) continue;
    if (mediaType !== MEDIA_TYPE_INDEX && mediaType !== MEDIA_TYPE_MANIFEST) continue;
    // A folder has no list of a version's history.
    yield {
      ...(await describe(name, () => openLayoutSource(folder, name), undefined)),
      versions: null,
    };
  }
}

/** One that is no version is listed too: the name is taken. */
async function describe(
  name: string,
  open: () => Promise<VersionSource>,
  signal: AbortSignal | undefined,
): Promise<RemoteRef> {
  const nothing = { name, version: null, created: null, message: null, virtualSize: null, layerBytes: null };
  try {
    // Not closed: its repository is used on.
    const source = await open();
    const bytes = await source.manifest(source.tip, { signal });
    if (bytes === undefined) return { ...nothing, versions: null };
    const manifest = decodeManifest(bytes.toString(), source.tip);
    const config = await source.config(manifest.config, { signal });
    const document = decodeConfig(manifest, config.toString());
    const { created, message } = document.config;
    return {
      ...{ name, version: source.tip, created, message, virtualSize: document.size },
      layerBytes: document.layers.reduce((sum, { size }) => sum + size, 0),
      versions: source.listed.length,
    };
  } catch (error) {
    if (!CalveError.is(error, 'unsupported') && !CalveError.is(error, 'corrupt')) throw error;
    return { ...nothing, versions: null };
  }
}
