import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { storeScene } from '../../test/support/store-scene.ts';
import { locked } from './locking.ts';
import { discard, openStaging, reclaimStaging, writeStaged } from './staging.ts';

test('a staging folder is its writer’s while the writer lives, and nothing is left of it afterwards', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  {
    await using staging = await openStaging(context);
    await writeStaged(staging.path('file'), 'whole');
    await reclaimStaging(context);
    assert.ok(existsSync(staging.path('file')));
  }
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('what dead writers left is removed: folders with a lock file, without one, and stray files', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  const { tmp } = context.layout;
  await writeFile(join(tmp, 'dead.lock'), '');
  await mkdir(join(tmp, 'dead', 'deep'), { recursive: true });
  await mkdir(join(tmp, 'unlocked'));
  await writeFile(join(tmp, 'only.lock'), '');
  await writeFile(join(tmp, 'stray'), '');
  await using staging = await openStaging(context);
  await locked(context, async () => {});
  assert.deepEqual((await readdir(tmp)).sort(), [staging.id, `${staging.id}.lock`].sort());
});

test('many that stage and reclaim at one time keep what is theirs', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  const one = async (): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      await using staging = await openStaging(context);
      await writeStaged(staging.path('file'), 'whole');
      await locked(context, async () => assert.ok(existsSync(staging.path('file'))));
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('what is discarded is out of sight at once, and then gone', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  const path = join(context.layout.trash, 'folder');
  await mkdir(join(path, 'deep'), { recursive: true });
  const remove = await discard(context, path);
  assert.ok(!existsSync(path));
  await remove();
  await remove();
  assert.deepEqual(await readdir(context.layout.tmp), []);
});
