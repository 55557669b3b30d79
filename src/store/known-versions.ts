import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, systemError } from '../errors/index.ts';
import { type Digest, digestOf, digestOfHex, hexOf, isDigest, isHex } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { manifestsAmong } from './manifests.ts';
import { readConfigOf } from './read-version.ts';
import { listFolder } from './staging.ts';
import type { BlobKind } from './types.ts';
import type { VersionDocument } from './version-document.ts';

/** What of a version a listing of all of them needs. */
export interface KnownVersion extends Pick<VersionDocument, 'digest' | 'configDigest' | 'size' | 'layers'> {
  readonly config: Pick<VersionDocument['config'], 'created' | 'parents'>;
}

/** All versions, and what each blob is that one of them names. */
export interface KnownVersions {
  readonly versions: ReadonlyMap<Digest, KnownVersion>;
  readonly kinds: ReadonlyMap<Digest, BlobKind>;
}

/**
 * Every version of the store, for what only shows: nothing is verified or deleted by it. A version's two documents
 * never change, so what they said when they were first read is kept in `cache/versions` (decision 014); only blobs
 * that no version kept there accounts for are looked into.
 * @throws CalveError as `readVersion`, of a version that is new here
 */
export async function knownVersions(context: StoreContext): Promise<KnownVersions> {
  const names = await listFolder(context.layout.blobs);
  const there = new Set(names);
  const kept = readKept(context);
  const found = new Map<Digest, KnownVersion>();
  const kinds = new Map<Digest, BlobKind>();
  const add = (version: KnownVersion): void => {
    found.set(version.digest, version);
    for (const layer of version.layers) kinds.set(layer.digest, 'layer');
    kinds.set(version.configDigest, 'config').set(version.digest, 'manifest');
  };
  for (const version of kept) if (there.has(hexOf(version.digest))) add(version);
  const remaining = found.size;
  const others = names.filter((name) => isHex(name) && !kinds.has(digestOfHex(name)));
  for await (const manifest of manifestsAmong(context, others)) {
    const { digest, configDigest, size, layers, config } = await readConfigOf(context, manifest);
    const { created, parents } = config;
    add({ digest, configDigest, size, layers, config: { created, parents } });
  }
  if (found.size > remaining || kept.length > remaining) keep(context, found.values());
  return { versions: found, kinds };
}

/** A line: manifest, config, size, created, parents, layers with their sizes. Tabs between, commas within. */
function encodeKept({ digest, configDigest, size, layers, config }: KnownVersion): string {
  const chain = layers.map((layer) => `${hexOf(layer.digest)}=${layer.size}`);
  const fields = [hexOf(digest), hexOf(configDigest), size, config.created, config.parents.map(hexOf), chain];
  return `${fields.join('\t')}\n`;
}

/** undefined for a line that this calve did not write. */
function decodeKept(line: string): KnownVersion | undefined {
  const [hex = '', configHex = '', size = '', created = '', parentHexes = '', chain = ''] = line.split('\t');
  const parents = parentHexes === '' ? [] : parentHexes.split(',');
  const layers = chain.split(',').map((layer) => {
    const [layerHex = '', bytes] = layer.split('=');
    return { digest: `sha256:${layerHex}` as const, size: Number(bytes) };
  });
  const digests = [hex, configHex, ...parents];
  const sizes = [Number(size), ...layers.map((layer) => layer.size)];
  if (!digests.every(isHex) || !layers.every((layer) => isDigest(layer.digest))) return undefined;
  if (!sizes.every(Number.isSafeInteger) || Number.isNaN(Date.parse(created))) return undefined;
  return {
    digest: digestOfHex(hex),
    configDigest: digestOfHex(configHex),
    size: Number(size),
    layers,
    config: { created, parents: parents.map(digestOfHex) },
  };
}

/** Nothing where there is nothing, or a file that is not whole: its first line is the digest of the others. */
function readKept(context: StoreContext): KnownVersion[] {
  const path = context.layout.knownVersions;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw systemError(`cannot read ${path}`, error);
  }
  const head = text.indexOf('\n');
  const body = text.slice(head + 1);
  if (text.slice(0, Math.max(0, head)) !== digestOf(body)) return [];
  return body.split('\n').flatMap((line) => decodeKept(line) ?? []);
}

/** In place and without a sync, as a stamp: what a crash tears or loses is read anew, and so is what found no space. */
function keep(context: StoreContext, versions: Iterable<KnownVersion>): void {
  const path = context.layout.knownVersions;
  const body = Array.from(versions, encodeKept).join('');
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${digestOf(body)}\n${body}`);
  } catch (error) {
    const failed = systemError(`cannot write ${path}`, error);
    if (failed.code !== 'no-space' && failed.code !== 'denied') throw failed;
  }
}
