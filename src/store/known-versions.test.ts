import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fillStore } from '../../test/support/store-operations.ts';
import { noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { digestOf } from '../oci/index.ts';
import { knownVersions } from './known-versions.ts';

async function filled(): Promise<StoreScene> {
  const scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
  return scene;
}

/** What is known, in an order of its own. */
async function known({ context }: StoreScene) {
  const { versions, kinds } = await knownVersions(context);
  return { versions: [...versions].sort(), kinds: [...kinds].sort() };
}

test('what was kept says what the documents say, and no document that it has is read again', async () => {
  await using scene = await filled();
  const first = await known(scene);
  assert.equal(first.versions.length, 2);
  assert.ok(existsSync(scene.context.layout.knownVersions));
  // Whoever reads this document again finds that it changed, and throws.
  const [, version] = first.versions[0] ?? [];
  assert.ok(version);
  const config = scene.context.layout.blob(version.configDigest);
  const bytes = await readFile(config);
  await chmod(config, 0o644);
  await writeFile(config, 'changed');
  assert.deepEqual(await known(scene), first);
  await writeFile(config, bytes);
});

test('a version that is new is added, and one that was collected is gone', async () => {
  await using scene = await filled();
  await known(scene);
  await writeEnv(scene.store, 'work', 0, noise('more', 1000));
  const { version } = await scene.store.envs.commit('work', { message: 'more' });
  const more = await known(scene);
  assert.equal(more.versions.length, 3);
  assert.ok(
    more.versions.some(
      ([digest, { config }]) => digest === version.digest && config.created === version.created,
    ),
  );
  await scene.store.gc({ graceDays: 0 });
  const less = await known(scene);
  assert.equal(less.versions.length, 2);
  await rm(scene.context.layout.knownVersions);
  assert.deepEqual(await known(scene), less);
});

test('a file that is torn, flipped or not ours is read past and made anew', async () => {
  await using scene = await filled();
  const first = await known(scene);
  const path = scene.context.layout.knownVersions;
  const whole = await readFile(path, 'utf8');
  const ours = (body: string): string => `${digestOf(body)}\n${body}`;
  const broken = [
    '',
    '\n',
    whole.slice(0, -10),
    whole.replace(/\t1048576\t/, '\t1048577\t'),
    ours('nonsense\n'),
    ours(whole.slice(whole.indexOf('\n') + 1).replaceAll('\t', ' ')),
  ];
  for (const text of broken) {
    await writeFile(path, text);
    assert.deepEqual(await known(scene), first, text.slice(0, 200));
    assert.equal(await readFile(path, 'utf8').then((kept) => kept.length), whole.length);
  }
});

test('what is kept decides nothing: gc and fsck read the documents', async () => {
  await using scene = await filled();
  const first = await known(scene);
  const path = scene.context.layout.knownVersions;
  await writeFile(path, `${digestOf('')}\n`);
  assert.deepEqual((await scene.store.fsck()).problems, []);
  const report = await scene.store.gc({ graceDays: 0 });
  assert.equal(report.blobs.filter(({ kind }) => kind === 'manifest').length, 1);
  assert.equal((await known(scene)).versions.length, first.versions.length - 1);
});
