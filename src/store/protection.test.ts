import assert from 'node:assert/strict';
import { appendFileSync, renameSync } from 'node:fs';
import { appendFile, chmod, copyFile, cp, open, rename, rm, stat, truncate, utimes } from 'node:fs/promises';
import { test } from 'node:test';
import { qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import { type Digest, hexOf, shortDigest } from '../oci/index.ts';
import { writeStamp } from './stamps.ts';

/** Everything that can happen to a base; `other` is the path of another layer. */
const harms: Readonly<Record<string, (path: string, other: string) => Promise<void>>> = {
  'a write by QEMU': async (path) => {
    await qemuIo(path, ['write -P 5 64k 64k']);
  },
  'a flipped byte, its time set back': async (path) => {
    const { atime, mtime } = await stat(path);
    await flip(path);
    await utimes(path, atime, mtime);
  },
  truncation: async (path) => {
    await chmod(path, 0o644);
    await truncate(path, 70_000);
  },
  'another file renamed over it': async (path) => {
    await copyFile(path, `${path}.copy`);
    await flip(`${path}.copy`);
    await rename(`${path}.copy`, path);
  },
  deletion: (path) => rm(path),
  'an older file put back': async (path, other) => {
    const { atime, mtime } = await stat(path);
    await rm(path);
    await copyFile(other, path);
    await utimes(path, atime, mtime);
  },
  'a swap with another layer': async (path, other) => {
    await rename(path, `${path}.away`);
    await rename(other, path);
    await rename(`${path}.away`, other);
  },
  'more bytes at its end': async (path) => {
    await chmod(path, 0o644);
    await appendFile(path, 'more');
    await chmod(path, 0o444);
  },
};

async function flip(path: string): Promise<void> {
  await chmod(path, 0o644);
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, 66_000);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, 66_000);
  await chmod(path, 0o444);
}

interface Setting {
  readonly layer: Digest;
  readonly path: string;
  /** Another layer's file. */
  readonly other: string;
  readonly versions: readonly Digest[];
}

/** A version on the base's layer besides the base, so that the harmed layer lies in the middle of a chain. */
async function settingIn({ store, context, rawDisk, path }: StoreScene): Promise<Setting> {
  await fillStore(store, rawDisk);
  await store.envs.commit('work', { ref: 'upper', message: 'upper' });
  await writeEnv(store, 'work', 0, noise('more', 100));
  const unneeded = await store.versions.import(path('other.raw'), { ref: null, onto: 'base' });
  const { layers } = await store.versions.get('base');
  const [layer] = layers;
  const other = unneeded.version.layers.at(-1);
  assert.ok(layer && other);
  const versions = [await store.versions.get('base'), await store.versions.get('upper'), unneeded.version];
  return {
    layer: layer.digest,
    path: context.layout.blob(layer.digest),
    other: context.layout.blob(other.digest),
    versions: versions.map((one) => one.digest),
  };
}

const uses = ({ store, path }: StoreScene): Readonly<Record<string, () => Promise<unknown>>> => ({
  new: () => store.envs.create('upper'),
  'new of many': () => store.envs.create('base', { count: 3 }),
  commit: () => store.envs.commit('work'),
  reset: () => store.envs.reset('work'),
  export: () => store.versions.export('upper', path('flat'), {}),
  'export of an env': () => store.versions.export('idle', path('flat'), {}),
  verify: () => store.versions.verify('upper'),
  'opening a version': () => store.versions.openDisk('base'),
  'opening an env': () => store.envs.openDisk('idle'),
  diff: () => store.versions.diffBlocks('base', 'upper').next(),
  tag: () => store.refs.set('other', 'base'),
  'import onto': () => store.versions.import(path('other.raw'), { ref: 'new', onto: 'base' }),
});

for (const [harm, inflict] of Object.entries(harms)) {
  test(`invariant 7: after ${harm} nothing uses the layer, and all that stands on it is named`, async () => {
    await using scene = await storeScene();
    const { store } = scene;
    const { layer, path, other, versions } = await settingIn(scene);
    await cp(store.folder, scene.path('copy'), { recursive: true });
    await inflict(path, other);
    for (const [name, use] of Object.entries(uses(scene))) {
      const error: unknown = await use().then(
        () => assert.fail(`${name} was not refused`),
        (reason: unknown) => reason,
      );
      assert.ok(CalveError.is(error, 'changed'), `${name}: ${error}`);
      assert.equal(error.data['layer'], layer);
      for (const version of versions) assert.ok(error.message.includes(shortDigest(version)), error.message);
      assert.match(error.message, /refs base:latest, upper:latest; environments idle, work; trash gone@/);
      assert.match(error.hint ?? '', /^calve fsck --repair --from REMOTE/);
      assert.ok(error.hint?.includes(`cp COPY ${path}`));
    }
    assert.deepEqual(
      (await store.envs.list()).map((env) => env.name),
      ['idle', 'work'],
    );

    const { problems } = await store.fsck();
    const problem = problems.find(({ where }) => where === layer);
    assert.ok(problem);
    assert.equal(problem.needs, layer);
    assert.equal(problem.kind, harm === 'deletion' ? 'blob-missing' : 'blob-changed');
    assert.deepEqual(problem.standing.refs, ['base:latest', 'upper:latest']);
    assert.deepEqual(problem.standing.envs, ['idle', 'work']);
    for (const version of versions) assert.ok(problem.standing.versions.includes(version));

    // What does not need the base goes on, and the hint mends it.
    await store.envs.remove('idle');
    const report = await store.repair({ from: scene.path('copy') });
    assert.deepEqual(report.problems, []);
    assert.ok(report.mended.some(({ where }) => where === layer));
    await store.versions.verify('upper');
    await store.envs.create('upper');
    assert.deepEqual((await store.fsck()).problems, []);
  });
}

test('a layer that is put in another’s place between the look at it and its opening is not used', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const { layer, path } = await settingIn(scene);
  const { layers } = await store.versions.get('upper');
  for (const { digest } of layers) await rm(context.layout.stamp(digest));
  await copyFile(path, scene.path('harmed'));
  await flip(scene.path('harmed'));
  // The base is verified before the layer on it, and opened after that.
  const base = layers[0]?.size ?? 0;
  const onProgress = ({ phase, done }: { phase: string; done: number }): void => {
    if (phase === 'hashing' && done > base) renameSync(scene.path('harmed'), path);
  };
  const error = await refused(store.versions.export('upper', scene.path('flat'), { onProgress }), 'changed');
  assert.equal(error.data['layer'], layer);
});

test('what was read from a layer that was written meanwhile is not exported, nor told as a difference', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { layer, path } = await settingIn(scene);
  for (const use of [
    (onProgress: () => void) => store.versions.export('upper', scene.path('flat'), { onProgress }),
    (onProgress: () => void) => Array.fromAsync(store.versions.diffBlocks('upper', 'base', { onProgress })),
  ]) {
    let written = false;
    const error = await refused(
      use(() => {
        if (!written) appendFileSync(path, 'x');
        written = true;
      }),
      'changed',
    );
    assert.ok(written);
    assert.equal(error.data['layer'], layer);
    await truncate(path, (await stat(path)).size - 1);
  }
  assert.equal(statFile(scene.path('flat')), undefined);
});

test('a chain whose stamps hold is not read; a layer that was touched is hashed once more and trusted', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { path } = await settingIn(scene);
  const hashed = async (): Promise<number> => {
    let bytes = 0;
    await store.versions.verify('upper', { onProgress: ({ done }) => (bytes = done) });
    return bytes;
  };
  assert.equal(await hashed(), 0);
  await chmod(path, 0o400);
  assert.equal(await hashed(), (await stat(path)).size);
  assert.equal(await hashed(), 0);
  // A torn stamp, a stamp of something else, none at all: each costs a hash and no more.
  const stamp = scene.context.layout.stamp(`sha256:${path.slice(-64)}`);
  for (const harm of [() => truncate(stamp, 10), () => appendFile(stamp, 'x'), () => rm(stamp)]) {
    await harm();
    assert.ok((await hashed()) > 0);
    assert.equal(await hashed(), 0);
  }
});

test('fsck takes away the stamp of a layer whose bytes rotted without a trace', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const { layer, path } = await settingIn(scene);
  await flip(path);
  // As if the medium had changed the byte: the stamp still fits.
  const found = statFile(path);
  assert.ok(found);
  writeStamp(context, layer, found);
  await store.versions.verify('base');
  assert.equal((await store.fsck()).problems.length, 1);
  await assert.rejects(store.versions.verify('base'), (error) => CalveError.is(error, 'changed'));
});

test('importing the same disk again mends a layer that has changed', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { path, other } = await settingIn(scene);
  for (const harm of Object.values(harms)) {
    await harm(path, other);
    await store.versions.import(scene.path('base.raw'), { ref: null });
    await store.versions.import(scene.path('other.raw'), { ref: null, onto: 'base' });
    await store.versions.verify('upper');
  }
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a manifest or config that has changed is refused by its name', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const { digest } = await store.versions.get('base');
  const path = context.layout.blob(digest);
  await chmod(path, 0o644);
  await using file = await open(path, 'r+');
  await file.write('x', 20);
  await assert.rejects(
    store.envs.create('base'),
    (error) => CalveError.is(error, 'changed') && error.message.includes(hexOf(digest)),
  );
  const kinds = (await store.fsck()).problems.map((problem) => problem.kind).sort();
  assert.deepEqual([...new Set(kinds)], ['blob-changed', 'env-broken', 'ref-broken', 'trash-broken']);
  await assert.rejects(store.gc({ graceDays: 0 }), (error) => CalveError.is(error, 'changed'));
});
