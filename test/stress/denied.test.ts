import assert from 'node:assert/strict';
import { chmod, cp } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { openStore } from '../../src/store/index.ts';
import { ExpectedStates, everyOperation } from '../support/expected-states.ts';
import { succeed } from '../support/programs.ts';
import { refused } from '../support/refused.ts';
import { smallFileSystem } from '../support/small-file-system.ts';
import { placeBeside } from '../support/store-operations.ts';
import { assertSound } from '../support/store-state.ts';

/** A user that owns nothing: `nobody`. */
const NOBODY = 65_534;

let expected: ExpectedStates;
before(async () => {
  expected = await ExpectedStates.make();
  // Whoever is somebody else for a while cannot load modules.
  for (const name of Object.keys(everyOperation)) await expected.later(name);
});
after(() => expected[Symbol.asyncDispose]());

/** Asserts that nothing can be done to the store, and everything be read. */
async function assertDenied(folder: string, forbid: () => Promise<void>, allow: () => Promise<void>) {
  const store = await openStore(folder, { create: false });
  await forbid();
  try {
    for (const [name, perform] of Object.entries(everyOperation)) {
      const { message } = await refused(perform(store), 'denied', /E(ACCES|PERM|ROFS)/);
      assert.match(message, /\/\.?store/, name);
    }
    assert.equal(await expected.in(folder), await expected.earlier);
  } finally {
    await allow();
  }
  assert.equal(await expected.in(folder), await expected.earlier);
  await assertSound(store, 'afterwards');
}

describe('a store that may not be written', () => {
  it('because its file system is read-only is read, and refused for anything else', async () => {
    await using fs = await smallFileSystem();
    await placeBeside(expected.scene.path('.'), fs.path);
    await cp(expected.scene.store.folder, fs.join('store'), { recursive: true });
    const remount = async (how: string) => {
      await succeed('mount', ['-o', `remount,${how}`, fs.path]);
    };
    await assertDenied(
      fs.join('store'),
      () => remount('ro'),
      () => remount('rw'),
    );
  });

  it('because it is somebody else’s is read, and refused for anything else', async () => {
    const place = await expected.place('another');
    const folder = `${place}/store`;
    await cp(expected.scene.store.folder, folder, { recursive: true });
    await chmod(expected.scene.path('.'), 0o755);
    const become = async (user: number) => process.seteuid?.(user);
    await assertDenied(
      folder,
      () => become(NOBODY),
      () => become(0),
    );
  });
});
