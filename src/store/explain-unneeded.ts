import { CalveError } from '../errors/index.ts';
import { type Digest, shortDigest } from '../oci/index.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import { readVersion } from './read-version.ts';
import { refMoves } from './ref-log.ts';
import { sinceWhen } from './roots.ts';
import type { Unneeded } from './sweep.ts';
import type { GcBlob, RefMove } from './types.ts';

/** Says of each blob that nothing needs since when that is so, and why, as far as the store can tell. */
export async function explainUnneeded(
  context: StoreContext,
  census: Census,
  blobs: readonly Unneeded[],
): Promise<GcBlob[]> {
  const parents = new Map<Digest, readonly Digest[]>();
  for (const { digest } of blobs) {
    if (census.manifests.has(digest)) parents.set(digest, await parentsOf(context, digest));
  }
  const since = sinceOfVersions(context, parents);
  const moves = lastMovesFrom(context, parents);
  const owners = ownersOf(census, parents);
  const children = childrenOf(parents);
  return blobs.map((blob) => {
    const of = parents.has(blob.digest) ? [blob.digest] : (owners.get(blob.digest) ?? []);
    const times = of.map((version) => since.get(version) ?? 0);
    const time = times.length === 0 ? (sinceWhen(context, blob.digest) ?? 0) : Math.max(...times);
    const why = parents.has(blob.digest)
      ? whyVersion(moves.get(blob.digest), children.get(blob.digest) ?? [])
      : whyPart(of);
    return { ...blob, since: new Date(time).toISOString(), why };
  });
}

type Parents = ReadonlyMap<Digest, readonly Digest[]>;

/** A version whose config is broken or gone may go as well; only its ancestry cannot be told then. */
async function parentsOf(context: StoreContext, version: Digest): Promise<readonly Digest[]> {
  try {
    return (await readVersion(context, version)).config.parents;
  } catch (error) {
    if (error instanceof CalveError) return [];
    throw error;
  }
}

/** When something let go of a version last, or of one that came from it, or it was written. */
function sinceOfVersions(context: StoreContext, parents: Parents): Map<Digest, number> {
  const since = new Map<Digest, number>();
  for (const version of parents.keys()) since.set(version, sinceWhen(context, version) ?? 0);
  const waiting = [...parents.keys()];
  for (let version = waiting.pop(); version !== undefined; version = waiting.pop()) {
    const time = since.get(version) ?? 0;
    for (const parent of parents.get(version) ?? []) {
      const known = since.get(parent);
      if (known === undefined || known >= time) continue;
      since.set(parent, time);
      waiting.push(parent);
    }
  }
  return since;
}

function lastMovesFrom(context: StoreContext, versions: Parents): Map<Digest, RefMove> {
  const found = new Map<Digest, RefMove>();
  if (versions.size === 0) return found;
  for (const move of refMoves(context)) {
    if (move.from !== null && versions.has(move.from) && !found.has(move.from)) found.set(move.from, move);
  }
  return found;
}

/** The versions among these that each config and layer belongs to. */
function ownersOf(census: Census, versions: Parents): Map<Digest, Digest[]> {
  const owners = new Map<Digest, Digest[]>();
  for (const version of versions.keys()) {
    const manifest = census.manifests.get(version);
    for (const part of manifest === undefined ? [] : [manifest.config, ...manifest.layers]) {
      owners.set(part.digest, [...(owners.get(part.digest) ?? []), version]);
    }
  }
  return owners;
}

function childrenOf(parents: Parents): Map<Digest, Digest[]> {
  const children = new Map<Digest, Digest[]>();
  for (const [child, of] of parents) {
    for (const parent of of) children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  return children;
}

function whyVersion(move: RefMove | undefined, children: readonly Digest[]): string {
  if (move !== undefined) {
    return `${move.ref} named it until ${move.time} (${move.command}), and nothing needs it now`;
  }
  return children.length === 0
    ? 'no ref, environment or trash needs it'
    : `needed by ${children.map(shortDigest).join(', ')} alone, which nothing needs`;
}

function whyPart(versions: readonly Digest[]): string {
  return versions.length === 0
    ? 'of no version'
    : `of ${versions.map(shortDigest).join(', ')}, which nothing needs`;
}
