import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createQcow2 } from '../../src/qcow2/index.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { MiB, noise, writeEnv } from './store-scene.ts';

/** Something that is done to a store. What it reads lies beside the store, or in it. */
export type Operation = (store: Store) => Promise<unknown>;

/** Everything that changes a store, each once; on a store that `fillForAll` filled. */
export const operations: Readonly<Record<string, Operation>> = {
  import: (store) => store.versions.import(beside(store, 'other.raw'), { ref: 'other', message: 'other' }),
  'import onto': (store) =>
    store.versions.import(beside(store, 'other.raw'), { ref: 'base', onto: 'base', message: 'onto' }),
  'import a chain': (store) => store.versions.import(beside(store, 'top.qcow2'), { ref: 'top', chain: true }),
  adopt: (store) => store.adopt(beside(store, 'images')),
  tag: (store) => store.refs.set('stable', 'base'),
  untag: (store) => store.refs.remove('base'),
  new: (store) => store.envs.create('base', { name: 'fresh' }),
  'new three': (store) => store.envs.create('base', { name: 'fresh', count: 3 }),
  commit: (store) => store.envs.commit('work', { message: 'committed' }),
  'commit to a new ref': (store) => store.envs.commit('work', { message: 'committed', ref: 'fork' }),
  squash: (store) => store.envs.commit('work', { message: 'committed', squash: true }),
  change: (store) =>
    store.envs.change('work', async (disk) => {
      await disk.write(noise('change', 70_000), 100_000);
      await disk.write(noise('change', 9000), 540_000);
    }),
  reset: (store) => store.envs.reset('work'),
  'reset onto another version': (store) => store.envs.reset('work', 'next'),
  remove: (store) => store.envs.remove('work'),
  'remove by force': (store) => store.envs.remove('work', { force: true }),
  'remove several': (store) => store.envs.removeMany(['work', 'idle']),
  'remove several by force': (store) => store.envs.removeMany(['work', 'idle'], { force: true }),
  protect: (store) => store.refs.protect('base'),
  config: (store) => store.config.set('trash.days', 3),
  restore: (store) => store.trash.restore('gone'),
  empty: (store) => store.trash.empty(),
  gc: (store) => store.gc({ graceDays: 0 }),
};

/** What writes beside a store, or in it nothing that is missed. */
export const bystanders: Readonly<Record<string, Operation>> = {
  init: (store) => openStore(besideStore(store).store),
  'export qcow2': (store) => store.versions.export('next', besideStore(store).qcow2),
  'export raw': (store) => store.versions.export('work', besideStore(store).raw, { format: 'raw' }),
  fsck: (store) => store.fsck(),
};

/** What the bystanders make, each store's own. */
export function besideStore({ folder }: Store): {
  readonly store: string;
  readonly qcow2: string;
  readonly raw: string;
} {
  return { store: `${folder}.store`, qcow2: `${folder}.qcow2`, raw: `${folder}.raw` };
}

type RawDisk = (name: string, size: number, content: Readonly<Record<number, Uint8Array>>) => Promise<string>;

/** Two refs, an env with changes and one without, one in the trash, a version that nothing needs. */
export async function fillStore(store: Store, rawDisk: RawDisk): Promise<void> {
  const base = await rawDisk('base.raw', MiB, { 0: noise('base', 100_000) });
  const other = await rawDisk('other.raw', MiB, { 0: noise('base', 50_000), 300000: noise('other', 50_000) });
  const onOther = { backingFile: 'other.raw', backingFormat: 'raw' };
  await createQcow2(join(dirname(other), 'top.qcow2'), { size: MiB, ...onOther });
  await mkdir(join(dirname(other), 'images'), { recursive: true });
  await createQcow2(join(dirname(other), 'images', 'adopted.qcow2'), { size: MiB });
  await store.versions.import(base, { ref: 'base', message: 'base' });
  await store.versions.import(other, { ref: null, onto: 'base', message: 'unneeded' });
  await store.envs.create('base', { name: 'gone' });
  await writeEnv(store, 'gone', 200_000, noise('gone', 3000));
  await store.envs.remove('gone');
  await store.envs.create('base', { name: 'idle' });
  await store.envs.create('base', { name: 'work' });
  await writeEnv(store, 'work', 500_000, noise('work', 80_000));
}

/** As `fillStore`, and what the other operations of this table need: a ref to a version of two layers. */
export async function fillForAll(store: Store, rawDisk: RawDisk): Promise<void> {
  await fillStore(store, rawDisk);
  const next = await rawDisk('next.raw', MiB, { 0: noise('base', 100_000), 700000: noise('next', 30_000) });
  await store.versions.import(next, { ref: 'next', onto: 'base', message: 'next' });
}

/** Puts what operations read beside a store that `fillForAll` filled into another folder, for a copy of the store. */
export async function placeBeside(from: string, to: string): Promise<void> {
  for (const name of ['other.raw', 'top.qcow2', 'images']) {
    await cp(join(from, name), join(to, name), { recursive: true });
  }
}

function beside(store: Store, name: string): string {
  return join(store.folder, '..', name);
}
