import { copyFile, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, type Store } from '../../src/store/index.ts';
import { succeed } from '../../test/support/programs.ts';
import { seededRandom } from '../../test/support/random.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, wordsPool } from '../images.ts';
import { qemuImg } from '../qemu.ts';
import { seconds } from '../requests.ts';

const CLUSTER = 65_536;

/** What the cases work on: a version of a large disk, and an env on it whose changes are committed again and again. */
interface Stored {
  readonly store: Store;
  /** The file of the version's layer. */
  readonly base: string;
  /** The overlay of the env with the changes, which stays. */
  readonly overlay: string;
  /** Bytes that it changed. */
  readonly changed: number;
}

/** What a store does, beside what one would do with qemu-img. */
export function storeCases(scene: BenchScene): BenchCase[] {
  const size = scene.short ? 256 * MIB : 10_240 * MIB;
  const allocated = 0.3 * size;
  const envs = scene.short ? 50 : 1000;
  let making: Promise<Stored> | undefined;
  const stored = () => (making ??= makeStore(scene, size, allocated));
  return [
    commitCase(scene, size, stored),
    diffCase(size, stored),
    ...([envs, 1] as const).map((together) => envsCase(scene, envs, together, stored)),
  ];
}

/** The peer copies what the overlay holds, without a look at what lies below. */
function commitCase(scene: BenchScene, size: number, stored: () => Promise<Stored>): BenchCase {
  const copy = scene.join('committed.qcow2');
  return {
    name: `store commit of 1 % of ${size / MIB} MiB`,
    amount: size / 100 / 1e6,
    unit: 'MB',
    prepare: async () => void (await stored()),
    calve: async () => {
      const { store, overlay } = await stored();
      // Without a ref, so that gc takes the version again and every run writes all of it.
      await store.envs.create('disk~0', { name: 'again' });
      await copyFile(overlay, await store.envs.path('again'));
      const taken = await seconds(() => store.envs.commit('again'));
      await store.envs.remove('again', { force: true });
      await store.gc({ graceDays: 0 });
      return taken;
    },
    peer: async () => {
      const { base, overlay } = await stored();
      const options = ['-c', '-o', 'compression_type=zstd', '-B', base, '-F', 'qcow2'];
      const taken = await qemuImg(['convert', '-f', 'qcow2', '-O', 'qcow2', ...options, overlay, copy]);
      await rm(copy);
      return taken;
    },
  };
}

/**
 * `qemu-img compare` ends at the first difference. For it to look at everything, as a diff has to, it compares the
 * changed disk with itself.
 */
function diffCase(size: number, stored: () => Promise<Stored>): BenchCase {
  return {
    name: `store diff of two versions of ${size / MIB} MiB, 1 % changed`,
    amount: 1,
    unit: 'ops',
    prepare: async () => {
      const { store, overlay } = await stored();
      await store.envs.create('disk', { name: 'differing' });
      await copyFile(overlay, await store.envs.path('differing'));
      await store.envs.commit('differing', { ref: 'changed' });
    },
    calve: async () => {
      const { store, changed } = await stored();
      return seconds(async () => {
        let bytes = 0;
        for await (const range of store.versions.diffBlocks('disk', 'changed')) bytes += range.length;
        if (bytes !== changed) throw new Error(`expected ${changed} bytes to differ, got ${bytes}`);
      });
    },
    peer: async () => {
      const tip = await (await stored()).store.versions.path('changed');
      return qemuImg(['compare', '-f', 'qcow2', '-F', 'qcow2', tip, tip]);
    },
  };
}

/** The peer is a loop of the shell. */
function envsCase(
  scene: BenchScene,
  count: number,
  together: number,
  stored: () => Promise<Stored>,
): BenchCase {
  const folder = scene.join('overlays');
  return {
    name: `store ${count} envs, ${together === 1 ? 'one at a time' : 'all in one call'}`,
    amount: count,
    unit: 'ops',
    prepare: async () => void (await stored()),
    calve: async () => {
      const { store } = await stored();
      const taken = await seconds(async () => {
        for (let made = 0; made < count; made += together) {
          await store.envs.create('disk', { name: `env-${made}`, count: together });
        }
      });
      const envsFolder = join(store.folder, 'envs');
      for (const name of await readdir(envsFolder)) {
        if (name.startsWith('env-')) await rm(join(envsFolder, name), { recursive: true });
      }
      return taken;
    },
    peer: async () => {
      const { base } = await stored();
      const loop = `mkdir "$2" && for n in $(seq ${count}); do qemu-img create -q -f qcow2 -b "$1" -F qcow2 "$2/$n" || exit; done`;
      const taken = await seconds(() => succeed('/bin/sh', ['-c', loop, 'sh', base, folder]));
      await rm(folder, { recursive: true });
      return taken;
    },
  };
}

async function makeStore(scene: BenchScene, size: number, allocated: number): Promise<Stored> {
  const store = await openStore(scene.join('store'));
  const raw = scene.join('disk.raw');
  await makeDisk(raw, size, allocated);
  await store.versions.import(raw, { ref: 'disk' });
  await rm(raw);
  await store.envs.create('disk', { name: 'work' });
  const changed = await change(store, size);
  return {
    store,
    changed,
    base: await store.versions.path('disk'),
    overlay: await store.envs.path('work'),
  };
}

/** A raw disk of which a part is in use, in pieces of 16 MiB that lie apart. */
async function makeDisk(path: string, size: number, allocated: number): Promise<void> {
  const piece = Buffer.alloc(MIB);
  const fill = wordsPool(1);
  await using file = await open(path, 'w');
  await file.truncate(size);
  const pieces = Math.floor(allocated / piece.length);
  for (let at = 0; at < pieces; at += 1) {
    fill(piece);
    const group = Math.floor(at / 16);
    const offset = Math.floor((group * size) / Math.ceil(pieces / 16) / MIB) * MIB + (at % 16) * MIB;
    await file.write(piece, 0, piece.length, offset);
  }
}

/** Changes 1 % of the disk, clusters at random; returns the bytes. */
async function change(store: Store, size: number): Promise<number> {
  const random = seededRandom(1);
  const clusters = new Set<number>();
  while (clusters.size < size / CLUSTER / 100) clusters.add(Math.floor((random() * size) / CLUSTER));
  const fill = wordsPool(2);
  const bytes = Buffer.alloc(CLUSTER);
  await using disk = await store.envs.openDisk('work', { writable: true });
  for (const cluster of clusters) {
    fill(bytes);
    await disk.write(bytes, cluster * CLUSTER);
  }
  return clusters.size * CLUSTER;
}
