import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';

const VARIABLES = ['SOURCE_DATE_EPOCH', 'CALVE_AUTHOR'] as const;
const before = VARIABLES.map((name) => [name, process.env[name]] as const);
const set = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};
beforeEach(() => set('CALVE_AUTHOR', 'Ada'));
afterEach(() => {
  for (const [name, value] of before) set(name, value);
});

/** A disk that is changed and grows, state by state; the last one is an environment's. Versions, and layers. */
async function keepSeries({ store, rawDisk }: StoreScene) {
  const content: Record<number, Uint8Array> = { 0: noise('base', MiB) };
  for (const state of [1, 2, 3]) {
    content[state * MiB] = noise(state, 300_000);
    const disk = await rawDisk('disk.raw', (4 + state) * MiB, content);
    const maxLayerSize = state === 1 ? MiB : undefined;
    await store.versions.import(disk, { ref: `state:${state}`, onto: 'auto', maxLayerSize });
  }
  await store.envs.create('state:3', { name: 'work' });
  await writeEnv(store, 'work', 12345, noise('work', 100_000));
  await store.envs.commit('work', { message: 'by hand' });
  const versions = await Promise.all([1, 2, 3].map((state) => store.versions.get(`state:${state}`)));
  return {
    digests: versions.map((version) => version.digest),
    layers: versions.map((version) => version.layers),
    created: new Set(versions.map((version) => version.created)),
  };
}

test('two stores that take in the same series at one author and SOURCE_DATE_EPOCH hold the same digests', async () => {
  await using one = await storeScene();
  await using two = await storeScene();
  set('SOURCE_DATE_EPOCH', '1700000000');
  const kept = await keepSeries(one);
  assert.deepEqual(await keepSeries(two), kept);
  assert.deepEqual([...kept.created], ['2023-11-14T22:13:20.000Z']);
  assert.ok((kept.layers[0]?.length ?? 0) > 1);
});

test('without it the layers are the same, and the versions say when they were made', async () => {
  await using one = await storeScene();
  await using two = await storeScene();
  set('SOURCE_DATE_EPOCH', undefined);
  const [kept, again] = [await keepSeries(one), await keepSeries(two)];
  assert.deepEqual(again.layers, kept.layers);
  assert.notDeepEqual(again.digests, kept.digests);
});

test('a SOURCE_DATE_EPOCH that is no number of seconds is refused, and nothing is stored', async () => {
  await using scene = await storeScene();
  const disk = await scene.rawDisk('disk.raw', MiB);
  for (const wrong of ['yesterday', '-1', '1.5', '253402300800']) {
    set('SOURCE_DATE_EPOCH', wrong);
    await refused(scene.store.versions.import(disk), 'usage', /^SOURCE_DATE_EPOCH: expected seconds/);
  }
  assert.deepEqual(await scene.store.refs.list(), []);
});
