import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NbdServer } from '../../src/nbd/index.ts';
import { bootGuest } from '../support/guest.ts';
import { succeed } from '../support/programs.ts';
import { storeScene } from '../support/store-scene.ts';

test('a guest boots from an environment over NBD, and what it changes can be committed', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const disk = scene.path('ext4.raw');
  await succeed('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '16M']);
  await store.versions.import(disk, { ref: 'ext4', compression: 'none' });
  await store.envs.create('ext4', { name: 'guest' });
  const socket = scene.path('socket');
  await using server = new NbdServer({ exports: await store.nbdExports() });
  await server.listen({ path: socket });
  await bootGuest({
    drive: `-drive file=nbd+unix:///guest?socket=${socket},format=raw,if=virtio`,
    script: 'echo by the guest >file; sync',
  });
  while ((await store.envs.get('guest')).state !== 'idle') await sleep(10);
  await store.envs.commit('guest', { compression: 'none' });
  const after = scene.path('after.raw');
  await store.versions.export('ext4', after, { format: 'raw' });
  assert.equal(await succeed('debugfs', ['-R', 'cat file', after]), 'by the guest\n');
  await succeed('e2fsck', ['-fn', after]);
});
