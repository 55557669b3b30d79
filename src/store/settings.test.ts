import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { storeScene } from '../../test/support/store-scene.ts';
import { readConfig } from './store-config.ts';

const DEFAULTS = {
  trash: { days: 7 },
  gc: { graceDays: 14, historyDays: 14 },
  compression: 'zstd',
  immutable: false,
};

test('a store without config.json has every setting by default', async () => {
  await using scene = await storeScene();
  assert.deepEqual(await readConfig(scene.context), DEFAULTS);
  assert.deepEqual(
    (await scene.store.config.list()).map(({ key, value, set }) => [key, value, set]),
    [
      ['trash.days', 7, false],
      ['gc.graceDays', 14, false],
      ['gc.historyDays', 14, false],
      ['compression', 'zstd', false],
      ['immutable', false, false],
    ],
  );
});

test('a setting is written and taken out again, and everything else in the file stays', async () => {
  await using scene = await storeScene();
  const { context, store } = scene;
  const others = { later: [1.5, null], gc: { later: 'x' } };
  await writeFile(context.layout.config, JSON.stringify(others));
  const set = { key: 'gc.graceDays', value: 3, default: 14, set: true };
  assert.deepEqual(await store.config.set('gc.graceDays', '3'), set);
  assert.deepEqual(await store.config.get('gc.graceDays'), set);
  assert.deepEqual(await store.config.set('immutable', 'on'), {
    key: 'immutable',
    value: true,
    default: false,
    set: true,
  });
  await store.config.set('trash.days', 0);
  assert.deepEqual(await readConfig(context), {
    ...DEFAULTS,
    ...{ later: [1.5, null], trash: { days: 0 }, immutable: true },
    gc: { graceDays: 3, historyDays: 14, later: 'x' },
  });
  for (const key of ['gc.graceDays', 'immutable', 'trash.days']) await store.config.unset(key);
  assert.deepEqual(JSON.parse(await readFile(context.layout.config, 'utf8')), others);
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('what cannot be is refused by its key, with what was expected and what came', async () => {
  await using scene = await storeScene();
  const { config } = scene.store;
  await refused(config.set('trash.days', '-1'), 'usage', /^trash\.days: expected whole days .*got "-1"/);
  await refused(config.set('trash.days', 1.5), 'usage', /^trash\.days: expected whole days .*got 1\.5/);
  await refused(config.set('compression', 'lz4'), 'usage', /^compression: expected zstd.*got "lz4"/);
  await refused(config.set('immutable', 'maybe'), 'usage', /^immutable: expected true or false, got "maybe"/);
  await refused(config.set('trash', '1'), 'usage', /^setting 'trash': expected one of trash\.days, /);
  await refused(config.get('__proto__'), 'usage');
  assert.equal((await readdir(scene.store.folder)).includes('config.json'), false);
});

test('a file that is broken is told by its key, and can be mended', async () => {
  await using scene = await storeScene();
  const { context, store } = scene;
  await writeFile(context.layout.config, '{"trash":{"days":"soon"},"gc":7,"immutable":true}');
  const error = await refused(readConfig(context), 'corrupt', /config\.json: trash\.days: .*got "soon"/);
  assert.equal(error.hint, 'calve config --unset trash.days');
  await refused(store.config.list(), 'corrupt');
  assert.equal((await store.config.get('immutable')).value, true);
  await store.config.set('trash.days', 9);
  await refused(store.config.get('gc.graceDays'), 'corrupt', /config\.json: gc: expected an object, got 7/);
  await store.config.unset('gc.graceDays');
  assert.deepEqual(await readConfig(context), { ...DEFAULTS, trash: { days: 9 }, immutable: true });
  await writeFile(context.layout.config, 'not JSON');
  await refused(readConfig(context), 'corrupt', /config\.json: expected JSON/);
});

test('new layers are packed as the store says, where the caller does not', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const disk = await scene.rawDisk('disk.raw', 1 << 20, { 0: Buffer.alloc(1 << 20, 'packs well ') });
  const sizeOf = async (compression?: 'zstd'): Promise<number> =>
    (await store.versions.import(disk, { ref: null, compression })).summary.fileSize;
  const packed = await sizeOf();
  await store.config.set('compression', 'none');
  assert.ok((await sizeOf()) > packed + 60_000);
  assert.equal(await sizeOf('zstd'), packed);
});
