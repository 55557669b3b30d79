import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { contentOf } from '../../test/support/disk-content.ts';
import { fillStore, operations } from '../../test/support/store-operations.ts';
import { type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { digestOf } from '../oci/index.ts';
import { openLayout, openStore } from './open-store.ts';
import { Store } from './store.ts';

let scene: StoreScene;
before(async () => {
  scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
});
after(() => scene[Symbol.asyncDispose]());

/** Everything of a store that a person would miss; digests, which hold the time, are replaced by messages. */
async function stateOf(store: Store): Promise<unknown> {
  const messageOf = async (version: string): Promise<string> => (await store.versions.get(version)).message;
  const state: unknown[] = [];
  for (const { name, version } of await store.refs.list()) {
    state.push(['ref', name, await messageOf(version), await contentOf(store.versions.openDisk(version))]);
  }
  for (const { name, version, ref } of await store.envs.list()) {
    state.push(['env', name, await messageOf(version), ref, await contentOf(store.envs.openDisk(name))]);
  }
  for (const { id, name, version } of await store.trash.list()) {
    const overlay = await readFile(join(store.folder, 'trash', id, 'disk.qcow2'));
    state.push(['trash', name, await messageOf(version), digestOf(overlay)]);
  }
  return state;
}

/**
 * Does an operation on a copy of the filled store, and copies that before each of its steps: each such copy is what a
 * process leaves that is killed just then, its locks being gone with it.
 */
async function killedCopies(
  operation: (store: Store) => Promise<unknown>,
  name: string,
): Promise<{ readonly whole: Store; readonly steps: string[] }> {
  const folder = scene.path(name);
  await cp(scene.path('store'), folder, { recursive: true });
  const steps: string[] = [];
  const step = (what: string): void => {
    cpSync(folder, `${folder}-${steps.length}`, { recursive: true });
    steps.push(what);
  };
  const whole = new Store({ layout: await openLayout(folder, false), step });
  await operation(whole);
  return { whole, steps };
}

for (const [operation, perform] of Object.entries(operations)) {
  test(`invariant 6: ${operation}, killed before any of its steps, has happened or has not`, async (t) => {
    const earlier = await stateOf(scene.store);
    const name = operation.replaceAll(' ', '-');
    const { whole, steps } = await killedCopies(perform, name);
    const later = await stateOf(whole);
    t.diagnostic(steps.join(', '));
    assert.ok(steps.length > 0);

    let redone = false;
    for (const [at, step] of steps.entries()) {
      const store = await openStore(scene.path(`${name}-${at}`), { create: false });
      const state = await stateOf(store);
      const happened = JSON.stringify(state) === JSON.stringify(later);
      if (!happened) assert.deepEqual(state, earlier, `before ${step}`);
      assert.deepEqual((await store.fsck()).problems, [], `before ${step}`);
      for (const room of ['tmp', 'journal'])
        assert.deepEqual(await readdir(join(store.folder, room)), [], step);
      if (happened || redone) continue;
      // What has not happened can be done again.
      await perform(store);
      assert.deepEqual(await stateOf(store), later, `done again after ${step}`);
      redone = true;
    }
  });
}
