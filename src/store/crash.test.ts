import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fillForAll, operations } from '../../test/support/store-operations.ts';
import { type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { assertSound, stateOf } from '../../test/support/store-state.ts';
import { openLayout, openStore } from './open-store.ts';
import { Store } from './store.ts';

let scene: StoreScene;
before(async () => {
  scene = await storeScene();
  await fillForAll(scene.store, scene.rawDisk);
});
after(() => scene[Symbol.asyncDispose]());

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
      await assertSound(store, `before ${step}`);
      if (happened || redone) continue;
      // What has not happened can be done again.
      await perform(store);
      assert.deepEqual(await stateOf(store), later, `done again after ${step}`);
      redone = true;
    }
  });
}
