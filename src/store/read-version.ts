import { CalveError } from '../errors/index.ts';
import type { ImageIndex } from '../oci/index.ts';
import { type Digest, digestOf, shortDigest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readText } from './read-text.ts';
import { refsTo } from './ref-index.ts';
import type { VersionInfo } from './types.ts';
import {
  type DecodedManifest,
  decodeConfig,
  decodeManifest,
  type VersionDocument,
} from './version-document.ts';

/**
 * Reads a version's two documents, and checks that their bytes hash to their names.
 * @throws CalveError `not-found`; `changed`; `corrupt` naming the field
 */
export async function readVersion(context: StoreContext, digest: Digest): Promise<VersionDocument> {
  return readConfigOf(context, decodeManifest(await readBlobText(context, digest, 'manifest'), digest));
}

/** As `readVersion`; undefined when it is not in the store: of a history, the older end may have been collected. */
export async function readVersionIfThere(
  context: StoreContext,
  digest: Digest,
): Promise<VersionDocument | undefined> {
  try {
    return await readVersion(context, digest);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}

/** The version of a manifest that was read: its config is read too. Errors as `readVersion`. */
export async function readConfigOf(
  context: StoreContext,
  manifest: DecodedManifest,
): Promise<VersionDocument> {
  return decodeConfig(manifest, await readBlobText(context, manifest.config.digest, 'config'));
}

async function readBlobText(context: StoreContext, digest: Digest, kind: string): Promise<string> {
  let text: string;
  try {
    text = await readText(context.layout.blob(digest));
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
    throw new CalveError('not-found', `${kind} ${digest} is not in the store`, { cause: error });
  }
  const found = digestOf(text);
  if (found === digest) return text;
  throw new CalveError('changed', `${kind} ${digest} has changed: its bytes hash to ${shortDigest(found)}…`, {
    hint: 'calve fsck',
    data: { blob: digest, found },
  });
}

/** A version as it is listed. */
export function versionInfo(version: VersionDocument, index: ImageIndex): VersionInfo {
  const { message, author, created, parents, machine, made } = version.config;
  return {
    digest: version.digest,
    message,
    author,
    created,
    parents,
    size: version.size,
    layers: version.layers,
    refs: refsTo(index, version.digest),
    machine,
    made,
  };
}
