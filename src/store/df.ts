import { basename, sep } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type Digest, digestOfHex, isHex } from '../oci/index.ts';
import { kindAsItBegins } from './blob-kind.ts';
import { envDocuments } from './census.ts';
import type { StoreContext } from './context.ts';
import { diskUsage } from './disk-usage.ts';
import type { EnvDocument } from './env-document.ts';
import { knownVersions } from './known-versions.ts';
import { settled } from './locking.ts';
import { readIndex, refsOf } from './ref-index.ts';
import type { BlobKind, DfEnv, DfRef, DfReport } from './types.ts';
import { blobOwners, blobsOf, type Need, type Owner } from './usage.ts';

/** Accounts for space: every file of the store once, and for each ref and env what is its own. */
export async function accountSpace(context: StoreContext): Promise<DfReport> {
  await settled(context);
  const refNeeds = refsOf(await readIndex(context)).map((ref) => ({ label: `ref ${ref.name}`, ...ref }));
  const envNeeds = needsOf('environment', await envDocuments(context.layout.envs));
  const trashNeeds = needsOf('trash', await envDocuments(context.layout.trash));
  const { versions, kinds } = await knownVersions(context);
  const { totals, blobBytes, envBytes } = await measure(context, kinds);

  const owners = blobOwners(versions, [...refNeeds, ...envNeeds, ...trashNeeds]);
  const own = new Map<Owner, number>();
  for (const [blob, bytes] of blobBytes) {
    const owner = owners.get(blob);
    own.set(owner, (own.get(owner) ?? 0) + bytes);
  }
  const spaceOf = ({ label, version: digest }: Need): Space => {
    const version = versions.get(digest);
    if (version === undefined)
      throw new CalveError('not-found', `${label}: version ${digest} is not in the store`, {
        hint: 'calve fsck',
      });
    let apparentBytes = 0;
    for (const layer of version.layers) apparentBytes += layer.size;
    let sharedBytes = 0;
    for (const blob of blobsOf(version)) {
      if (owners.get(blob) !== label) sharedBytes += blobBytes.get(blob) ?? 0;
    }
    return { virtualSize: version.size, apparentBytes, ownBytes: own.get(label) ?? 0, sharedBytes };
  };
  const refs: DfRef[] = refNeeds.map((need) => {
    const { name, version, protected: isProtected = false } = need;
    const created = versions.get(version)?.config.created ?? '';
    return { name, version, protected: isProtected, created, ...spaceOf(need) };
  });
  const envs: DfEnv[] = envNeeds.map((need) => {
    const { name, version, ref, created } = need;
    const space = spaceOf(need);
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

function needsOf(what: string, documents: ReadonlyMap<string, EnvDocument>) {
  return Array.from(documents, ([name, { version, ref, created }]) => {
    return { label: `${what} ${name}`, name, version, ref, created };
  });
}

interface Measured {
  readonly totals: DfReport['totals'];
  /** A layer's stamp goes with it. */
  readonly blobBytes: ReadonlyMap<Digest, number>;
  /** By name: the env's folder and what is in it. */
  readonly envBytes: ReadonlyMap<string, number>;
}

/** Looks at every file of the store, once. */
async function measure(context: StoreContext, kinds: ReadonlyMap<Digest, BlobKind>): Promise<Measured> {
  const { folder, envs, trash, harmed, blobs, stamps } = context.layout;
  const [inEnvs, inBlobs, inStamps] = [envs + sep, blobs + sep, stamps + sep];
  // What was harmed goes when the trash does.
  const isTrash = (path: string): boolean =>
    [trash, harmed].some((each) => path === each || path.startsWith(each + sep));
  const totals = { layers: 0, manifests: 0, envs: 0, trash: 0, other: 0, total: 0 };
  const blobBytes = new Map<Digest, number>();
  const stampBytes = new Map<Digest, number>();
  const envBytes = new Map<string, number>();
  diskUsage(folder, (path, bytes) => {
    totals.total += bytes;
    if (path.startsWith(inBlobs) && isHex(path.slice(inBlobs.length))) {
      blobBytes.set(digestOfHex(path.slice(inBlobs.length)), bytes);
    } else if (path.startsWith(inEnvs)) {
      const end = path.indexOf(sep, inEnvs.length);
      const name = path.slice(inEnvs.length, end < 0 ? undefined : end);
      envBytes.set(name, (envBytes.get(name) ?? 0) + bytes);
      totals.envs += bytes;
    } else if (isTrash(path)) totals.trash += bytes;
    else if (path === envs) totals.envs += bytes;
    else totals.other += bytes;
    const stamped = path.startsWith(inStamps) ? basename(path, '.json') : '';
    if (isHex(stamped)) stampBytes.set(digestOfHex(stamped), bytes);
  });
  for (const [blob, bytes] of blobBytes) {
    const kind = kinds.get(blob) ?? (await kindAsItBegins(context, blob));
    if (kind === 'layer') totals.layers += bytes;
    else if (kind === 'other') totals.other += bytes;
    else totals.manifests += bytes;
  }
  for (const [blob, bytes] of stampBytes) blobBytes.set(blob, (blobBytes.get(blob) ?? 0) + bytes);
  return { totals, blobBytes, envBytes };
}
