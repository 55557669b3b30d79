import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { storeScene } from '../../test/support/store-scene.ts';
import { CalveError } from '../errors/index.ts';
import { lookAtEnv } from './look-at-env.ts';

test('a look that fails while its env is removed and made anew is made again', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  let looks = 0;
  const seen = await lookAtEnv(context, 'work', async () => {
    looks += 1;
    if (looks > 1) return 'the new one';
    await store.envs.remove('work');
    await store.envs.create('base', { name: 'work' });
    throw new CalveError('corrupt', 'its overlay was missing');
  });
  assert.equal(seen, 'the new one');
});

test('a look that fails while its env is removed says that there is none', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const look = async () => {
    await store.envs.remove('work');
    throw new CalveError('corrupt', 'its overlay was missing');
  };
  await refused(lookAtEnv(context, 'work', look), 'not-found', /no environment is called work/);
});

test('what is wrong with an env that stays is told', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const look = () => Promise.reject(new CalveError('corrupt', 'its overlay is missing'));
  await refused(lookAtEnv(context, 'work', look), 'corrupt', /its overlay is missing/);
});
