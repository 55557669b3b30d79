import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { hexOf } from '../oci/index.ts';
import { locked } from './locking.ts';
import { publishVersion, stageVersion } from './publish.ts';
import { openStaging } from './staging.ts';
import type { VersionInfo } from './types.ts';
import { encodeVersion } from './version-document.ts';

/** Three versions of one line: a ref that moved twice, and an env on the last. */
async function history({ store, rawDisk }: StoreScene): Promise<VersionInfo[]> {
  const disk = await rawDisk('disk.raw', MiB, { 0: noise('disk', 5000) });
  const versions = [(await store.versions.import(disk, { ref: 'debian:12', message: 'one' })).version];
  await store.envs.create('debian:12', { name: 'work' });
  for (const message of ['two', 'three']) {
    await writeEnv(store, 'work', 0, noise(message, 100));
    versions.push((await store.envs.commit('work', { message })).version);
  }
  return versions;
}

test('every kind of expression names its version', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const [one, two, three] = await history(scene);
  assert.ok(one && two && three);
  const cases: [string, VersionInfo][] = [
    ['debian:12', three],
    ['debian:12~', two],
    ['debian:12~1', two],
    ['debian:12~2', one],
    ['debian:12~1~1', one],
    ['debian:12~~', one],
    ['debian:12~0', three],
    ['debian:12@{0}', three],
    ['debian:12@{1}', two],
    ['debian:12@{2}', one],
    ['debian:12@{0}~1', two],
    ['work@base', three],
    ['work@base~2', one],
    [two.digest, two],
    [`${two.digest}~1`, one],
    [hexOf(two.digest), two],
    [hexOf(two.digest).slice(0, 12), two],
    [`sha256:${hexOf(one.digest).slice(0, 6)}`, one],
    [`${hexOf(three.digest).slice(0, 8)}~2`, one],
  ];
  for (const [expression, version] of cases) {
    assert.equal((await store.versions.get(expression)).message, version.message, expression);
  }
  assert.deepEqual((await store.versions.get('debian:12')).refs, ['debian:12']);
  assert.deepEqual((await store.versions.get('debian:12~')).refs, []);
  assert.deepEqual(await store.resolve('work'), { kind: 'env', name: 'work', version: three.digest });
  assert.deepEqual(await store.resolve('debian:12~'), { kind: 'version', version: two.digest });
});

test('what names nothing says why', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await history(scene);
  const cases: [string, 'usage' | 'not-found', RegExp][] = [
    ['fedora', 'not-found', /no version is called fedora:latest/],
    ['debian:12~3', 'not-found', /has no parent/],
    ['debian:12@{3}', 'not-found', /has moved 3 times/],
    ['fedora@{0}', 'not-found', /has moved 0 times/],
    ['nobody@base', 'not-found', /no environment is called nobody/],
    ['abcdef', 'not-found', /no version is called abcdef/],
    ['Debian', 'usage', /lower-case/],
    ['../x@base', 'not-found', /no environment/],
    ['sha256:12345', 'usage', /kept for digests/],
    [`sha256:${'0'.repeat(64)}`, 'not-found', /is not in the store/],
    ['', 'usage', /lower-case/],
  ];
  for (const [expression, code, pattern] of cases) {
    await refused(store.versions.get(expression), code, pattern);
  }
});

test('a ref whose name is hex is a ref, and a prefix of layers is no version', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const [one, , three] = await history(scene);
  assert.ok(one && three);
  const clash = hexOf(three.digest).slice(0, 8);
  await store.refs.set(clash, 'debian:12~2');
  assert.equal((await store.versions.get(clash)).digest, one.digest);
  const [layer] = one.layers;
  assert.ok(layer);
  await refused(store.versions.get(hexOf(layer.digest).slice(0, 20)), 'not-found', /no version is called/);
});

test('an ambiguous prefix lists its candidates', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const [one] = await history(scene);
  assert.ok(one);
  // Versions that differ in their message alone, until two begin alike.
  const config = {
    author: 'a',
    created: one.created,
    parents: [],
    size: one.size,
    machine: {},
    made: { command: 'x' },
  };
  const seen = new Map<string, ReturnType<typeof encodeVersion>>();
  for (let at = 0; ; at++) {
    const version = encodeVersion({ ...config, message: String(at) }, one.layers);
    const prefix = hexOf(version.document.digest).slice(0, 6);
    const twin = seen.get(prefix);
    seen.set(prefix, version);
    if (twin === undefined) continue;
    for (const each of [version, twin]) {
      await using staging = await openStaging(context);
      const staged = await stageVersion(staging, [], each);
      await locked(context, () => publishVersion(context, staged));
    }
    const { data } = await refused(store.versions.get(prefix), 'usage', /is ambiguous: /);
    assert.deepEqual(data['candidates'], [version.document.digest, twin.document.digest].sort());
    return;
  }
});

test('moves of a ref are logged, and a ref that was removed comes back from its history', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const [one, two, three] = await history(scene);
  assert.ok(one && two && three);
  await store.refs.set('debian:12', 'debian:12@{1}');
  assert.equal((await store.refs.get('debian:12')).version, two.digest);
  await store.refs.remove('debian:12');
  await refused(store.refs.get('debian:12'), 'not-found', /no ref is called debian:12/);
  await refused(store.refs.remove('debian:12'), 'not-found');
  await refused(store.versions.get('debian:12@{0}'), 'not-found', /the ref was removed then/);
  assert.deepEqual(await store.refs.set('debian:12', 'debian:12@{1}', { command: 'undo' }), {
    name: 'debian:12',
    version: two.digest,
  });
  const moves = (await store.refs.history('debian:12')).map(({ from, to, command }) => [from, to, command]);
  assert.deepEqual(moves, [
    [null, two.digest, 'undo'],
    [two.digest, null, 'untag'],
    [three.digest, two.digest, 'tag'],
    [two.digest, three.digest, 'commit'],
    [one.digest, two.digest, 'commit'],
    [null, one.digest, 'import'],
  ]);
});

test('a ref is moved only from where it is expected, and not logged when it stays', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const [one, two] = await history(scene);
  assert.ok(one && two);
  await refused(
    store.refs.set('new', 'debian:12', { expect: one.digest }),
    'diverged',
    /expected .*, got no version/,
  );
  await store.refs.set('new', two.digest, { expect: null });
  await refused(store.refs.set('new', one.digest, { expect: null }), 'diverged', /expected no version, got /);
  await store.refs.set('new', one.digest, { expect: two.digest });
  await store.refs.set('new', one.digest);
  assert.equal((await store.refs.history('new')).length, 2);
});

test('what other programs keep in index.json stays there, and its name is not taken', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await history(scene);
  const foreign = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${'1'.repeat(64)}`,
    size: 2,
    platform: { os: 'linux', architecture: 'amd64' },
    annotations: { 'org.opencontainers.image.ref.name': 'theirs:1' },
  };
  const index = JSON.parse(await readFile(context.layout.index, 'utf8'));
  await writeFile(
    context.layout.index,
    JSON.stringify({ ...index, manifests: [foreign, ...index.manifests], extra: 1 }),
  );
  await store.refs.set('ours', 'debian:12');
  const after = JSON.parse(await readFile(context.layout.index, 'utf8'));
  assert.equal(after.extra, 1);
  assert.deepEqual(after.manifests.at(-1), foreign);
  assert.deepEqual(
    (await store.refs.list()).map((ref) => ref.name),
    ['debian:12', 'ours:latest'],
  );
  await refused(store.refs.set('theirs:1', 'debian:12'), 'exists', /theirs:1/);
});

test('skopeo reads every version of the store as it is', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const versions = await history(scene);
  await store.refs.set('team/base_image/web:V1.0', 'debian:12');
  for (const ref of ['debian:12', 'team/base_image/web:V1.0']) {
    const raw = await succeed('skopeo', ['inspect', '--raw', `oci:${store.folder}:${ref}`]);
    const { digest } = await store.versions.get(ref);
    assert.equal(raw, await readFile(context.layout.blob(digest), 'utf8'));
    const manifest = JSON.parse(raw);
    assert.equal(manifest.artifactType, 'application/vnd.calve.version.v1');
    assert.deepEqual(
      manifest.layers.map((layer: { digest: string }) => layer.digest),
      versions[2]?.layers.map((layer) => layer.digest),
    );
  }
  await succeed('skopeo', ['copy', '--quiet', `oci:${store.folder}:debian:12`, `dir:${scene.path('copy')}`]);
});
