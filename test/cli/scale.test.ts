import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openStore, type Store } from '../../src/store/index.ts';
import { commandLine } from '../support/calve.ts';
import { assertCostsLittleMore } from '../support/compare-costs.ts';
import { costOf, costOfCommand } from '../support/cpu-time.ts';
import { succeed } from '../support/programs.ts';
import { qemuImgCheck } from '../support/qemu.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { makeWideStore } from '../support/wide-store.ts';

const FEW = 10;
const MANY = 1000;
const TiB = 2 ** 40;

let folder: TemporaryFolder;
let few: Store;
let many: Store;
let huge: Store;
let made = 0;

before(async () => {
  folder = await temporaryFolder('calve-scale');
  await makeWideStore(folder.join('few'), { versions: FEW, envs: FEW });
  await makeWideStore(folder.join('many'), { versions: MANY, envs: MANY });
  await makeWideStore(folder.join('huge'), { versions: FEW, envs: FEW, size: TiB });
  few = await openStore(folder.join('few'));
  many = await openStore(folder.join('many'));
  huge = await openStore(folder.join('huge'));
});
after(() => folder[Symbol.asyncDispose]());

it('the stores are as calve would have made them, and space adds up to what du says', async () => {
  for (const store of [few, huge]) {
    assert.deepEqual((await store.fsck()).problems, []);
    await qemuImgCheck(await store.envs.path('env-1'));
  }
  assert.equal((await many.envs.list()).length, MANY);
  assert.equal((await Array.fromAsync(many.versions.log(`wide:${MANY - 1}`))).length, MANY);
  const { total } = (await many.df()).totals;
  assert.equal(total, Number.parseInt(await succeed('/usr/bin/du', ['-B1', '-s', many.folder]), 10));
});

describe(`a command takes at most twice as long with ${MANY} versions and envs as with ${FEW}`, () => {
  const commands: Readonly<Record<string, () => string[]>> = {
    ls: () => ['ls'],
    images: () => ['images'],
    log: () => ['log'],
    status: () => ['status', 'env-5'],
    new: () => ['new', 'wide:5', `made-${made++}`],
    df: () => ['df'],
  };
  for (const [name, args] of Object.entries(commands)) {
    it(name, async (t) => {
      const on = (store: Store) => () => costOfCommand(commandLine(store.folder), args());
      // What an entry costs too much, a thousand of them cost hundreds of milliseconds.
      t.diagnostic(await assertCostsLittleMore(on(few), on(many), { times: 2, slack: 60 }));
    });
  }
});

/** What looks at one version or env, so that its cost has no start of a process to hide in. */
const single: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  'versions.get': (store) => store.versions.get('wide:5'),
  'versions.verify': (store) => store.versions.verify('wide:5'),
  'versions.log of 5': (store) => Array.fromAsync(store.versions.log('wide:9', { limit: 5 })),
  'versions.diffBlocks': (store) => Array.fromAsync(store.versions.diffBlocks('wide:5', 'wide:6')),
  'refs.get': (store) => store.refs.get('wide:5'),
  'envs.status': (store) => store.envs.status('env-5'),
  'envs.create': (store) => store.envs.create('wide:5', { name: `single-${made++}` }),
  'envs.create, a name made up': (store) => store.envs.create('wide:5'),
};

describe(`what looks at one thing does not look at ${MANY}`, () => {
  for (const [name, action] of Object.entries(single)) {
    it(name, async (t) => {
      const on = (store: Store) => () => costOf(() => action(store));
      t.diagnostic(await assertCostsLittleMore(on(few), on(many), { times: 2, slack: 12 }));
    });
  }
});

describe('disks of 1 TiB cost what small ones cost', () => {
  for (const [name, action] of Object.entries({
    ...single,
    'envs.list': (store: Store) => store.envs.list(),
  })) {
    it(name, async (t) => {
      const on = (store: Store) => () => costOf(() => action(store));
      t.diagnostic(await assertCostsLittleMore(on(few), on(huge), { times: 2, slack: 12 }));
    });
  }
});
