import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf } from '../../src/oci/index.ts';
import type { Store } from '../../src/store/index.ts';
import { openStore } from '../../src/store/open-store.ts';
import { layerPaths } from '../support/blobs.ts';
import { qemuImgCheck, qemuImgCompare } from '../support/qemu.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../support/store-scene.ts';

/** The ref of the series. */
export const REF = 'debian:12';

/** Bytes of a piece of an upload: what is lost of one is little beside a layer. */
export const PIECE: number = 128 * 1024;

/** A store with a series of versions, and others beside it. */
export interface RemoteScene extends StoreScene {
  /** The versions of `debian:12`, the oldest first. */
  readonly series: readonly Digest[];
  /** Another store, empty. */
  other(name: string): Promise<Store>;
}

/** What of the disk each version of the series writes: offset and bytes. All of it is noise, which does not compress. */
const CHANGES = [
  [0, 1.5 * MiB],
  [2 * MiB, MiB],
  [3 * MiB, 300_000],
] as const;

const DISK = 4 * MiB;

/** A store with `count` versions of a disk of 4 MiB, each on the one before, under `debian:12`. */
export async function remoteScene(count = 3): Promise<RemoteScene> {
  const scene = await storeScene();
  const series: Digest[] = [];
  for (let at = 0; at < count; at += 1) series.push(await importNext(scene, at));
  return { ...scene, series, other: (name) => openStore(scene.path(name)) };
}

/** Brings the series one version further. */
export async function importNext(scene: StoreScene, at: number): Promise<Digest> {
  const changes = CHANGES.slice(0, at + 1).map(([offset, length]) => [offset, noise(offset, length)]);
  const disk = await scene.rawDisk(`series-${at}.raw`, DISK, Object.fromEntries(changes));
  const onto = at === 0 ? null : REF;
  const { version } = await scene.store.versions.import(disk, { ref: REF, onto, message: `version ${at}` });
  return version.digest;
}

/**
 * A version whose one layer holds the whole disk, so that no layer of the ones before it is needed any more.
 * @returns its digest; the ref is at it
 */
export async function squash(store: Store, seed = 'squashed'): Promise<Digest> {
  await store.envs.create(REF, { name: seed });
  await writeEnv(store, seed, 1.7 * MiB, noise(seed, 30_000));
  const { version } = await store.envs.commit(seed, { message: seed, squash: true });
  return version.digest;
}

/** Commits something to a ref, which comes from what is there. */
export async function commitOn(store: Store, expression: string, seed: string): Promise<Digest> {
  await store.envs.create(expression, { name: seed });
  await writeEnv(store, seed, 3.5 * MiB, noise(seed, 20_000));
  return (await store.envs.commit(seed, { message: seed })).version.digest;
}

/** The names of a store's blobs. */
export function blobNames({ folder }: Store): Promise<string[]> {
  return readdir(join(folder, 'blobs', 'sha256')).then((names) => names.sort());
}

/** What a check finds; and that nothing unfinished is left, but for what transfers go on from. */
export async function assertSoundStore(store: Store, when = ''): Promise<void> {
  assert.deepEqual((await store.fsck()).problems, [], when);
  for (const room of ['tmp', 'journal']) {
    assert.deepEqual(await readdir(join(store.folder, room)), [], `${room} ${when}`);
  }
}

/** Asserts by QEMU that a version is the same disk in two stores, and sound in the second; and that the store is. */
export async function assertEqualDisks(a: Store, b: Store, version: Digest): Promise<void> {
  const { layers } = await b.versions.get(version);
  assert.deepEqual(layers, (await a.versions.get(version)).layers);
  const tip = hexOf(layers.at(-1)?.digest ?? assert.fail());
  const [inA, inB] = [a, b].map(({ folder }) => join(folder, 'blobs', 'sha256', tip));
  await qemuImgCompare(inA ?? '', 'qcow2', inB ?? '', 'qcow2');
  for (const path of await layerPaths(b.folder)) await qemuImgCheck(path);
  await assertSoundStore(b);
}

/** Bytes of a version's layers. */
export async function layerBytes(store: Store, version: Digest, from = 0): Promise<number> {
  const { layers } = await store.versions.get(version);
  return layers.slice(from).reduce((sum, { size }) => sum + size, 0);
}
