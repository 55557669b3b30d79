import { basename, dirname, sep } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type Digest, digestOfHex, isHex } from '../oci/index.ts';
import { blobKind } from './blob-kind.ts';
import { type Census, takeCensus } from './census.ts';
import type { StoreContext } from './context.ts';
import { diskUsage } from './disk-usage.ts';
import { settled } from './locking.ts';
import { readVersion } from './read-version.ts';
import { refsOf } from './ref-index.ts';
import type { DfEnv, DfRef, DfReport } from './types.ts';
import { blobOwners, type Need, type Owner } from './usage.ts';
import type { VersionDocument } from './version-document.ts';

/** Accounts for space: every file of the store once, and for each ref and env what is its own. */
export async function accountSpace(context: StoreContext): Promise<DfReport> {
  await settled(context);
  const census = await takeCensus(context);
  const versions = new Map<Digest, VersionDocument>();
  for (const digest of census.manifests.keys()) versions.set(digest, await readVersion(context, digest));

  const { layout } = context;
  const totals = { layers: 0, manifests: 0, envs: 0, trash: 0, other: 0, total: 0 };
  const blobBytes = new Map<Digest, number>();
  const envBytes = new Map<string, number>();
  for (const { path, bytes } of diskUsage(layout.folder)) {
    totals.total += bytes;
    const below = path.slice(layout.folder.length + 1).split(sep);
    const [room, name = ''] = below;
    if (room === 'envs' && below.length > 1) envBytes.set(name, (envBytes.get(name) ?? 0) + bytes);
    if (room === 'envs' || room === 'trash') totals[room] += bytes;
    else if (path.startsWith(layout.harmed))
      totals.trash += bytes; // gone with the trash
    else totals[await roomOf(context, census, path, bytes, blobBytes)] += bytes;
  }

  const needs = needsOf(census);
  const owners = blobOwners(versions, needs);
  const own = new Map<Owner, number>();
  for (const [blob, bytes] of blobBytes) own.set(owners.get(blob), (own.get(owners.get(blob)) ?? 0) + bytes);
  const spaceOf = (label: string, digest: Digest): Space => {
    const version = versions.get(digest);
    if (version === undefined)
      throw new CalveError('not-found', `${label}: version ${digest} is not in the store`, {
        hint: 'calve fsck',
      });
    const blobs = [version.digest, version.configDigest, ...version.layers.map((layer) => layer.digest)];
    const shared = blobs.filter((blob) => owners.get(blob) !== label);
    return {
      virtualSize: version.size,
      apparentBytes: version.layers.reduce((sum, layer) => sum + layer.size, 0),
      ownBytes: own.get(label) ?? 0,
      sharedBytes: shared.reduce((sum, blob) => sum + (blobBytes.get(blob) ?? 0), 0),
    };
  };
  const refs: DfRef[] = refsOf(census.index).map(({ name, version, protected: isProtected = false }) => ({
    name,
    version,
    protected: isProtected,
    created: versions.get(version)?.config.created ?? '',
    ...spaceOf(`ref ${name}`, version),
  }));
  const envs: DfEnv[] = [...census.envs].map(([name, { version, ref, created }]) => {
    const space = spaceOf(`environment ${name}`, version);
    return { name, version, ref, created, ...space, ownBytes: space.ownBytes + (envBytes.get(name) ?? 0) };
  });
  return { refs, envs, totals };
}

interface Space {
  readonly virtualSize: number;
  readonly apparentBytes: number;
  readonly ownBytes: number;
  readonly sharedBytes: number;
}

function needsOf(census: Census): Need[] {
  return [
    ...refsOf(census.index).map(({ name, version }) => ({ label: `ref ${name}`, version })),
    ...[...census.envs].map(([name, { version }]) => ({ label: `environment ${name}`, version })),
    ...[...census.trash].map(([id, { version }]) => ({ label: `trash ${id}`, version })),
  ];
}

/** Which total a file outside of envs and trash belongs to; a blob's bytes are noted, its stamp's with them. */
async function roomOf(
  context: StoreContext,
  census: Census,
  path: string,
  bytes: number,
  blobBytes: Map<Digest, number>,
): Promise<'layers' | 'manifests' | 'other'> {
  const { layout } = context;
  const hex = basename(path, dirname(path) === layout.stamps ? '.json' : '');
  if (![layout.blobs, layout.stamps].includes(dirname(path)) || !isHex(hex)) return 'other';
  const digest = digestOfHex(hex);
  blobBytes.set(digest, (blobBytes.get(digest) ?? 0) + bytes);
  if (dirname(path) === layout.stamps) return 'other';
  const kind = await blobKind(context, census, digest);
  if (kind === 'layer') return 'layers';
  return kind === 'other' ? 'other' : 'manifests';
}
