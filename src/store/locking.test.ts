import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { storeScene } from '../../test/support/store-scene.ts';
import { locked } from './locking.ts';

test('one at a time, in one process too, and an error lets the next one in', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  let inside = 0;
  let most = 0;
  const work = async (fails: boolean): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
    if (fails) throw new Error('on purpose');
  };
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, at) => locked(context, () => work(at % 3 === 0))),
  );
  assert.equal(most, 1);
  assert.equal(results.filter((result) => result.status === 'rejected').length, 7);
});

test('a lock file that was removed is made anew', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  await rm(context.layout.lock);
  assert.equal(await locked(context, async () => 'in'), 'in');
});
