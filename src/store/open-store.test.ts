import assert from 'node:assert/strict';
import { mkdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { openStore } from './open-store.ts';

test('a store is made on first use, an OCI image layout, and opened again by any of its paths', async () => {
  await using folder = await temporaryFolder();
  const store = await openStore(folder.join('deep', 'store'));
  assert.deepEqual(JSON.parse(await readFile(join(store.folder, 'oci-layout'), 'utf8')), {
    imageLayoutVersion: '1.0.0',
  });
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
  assert.deepEqual(JSON.parse(await readFile(join(store.folder, 'index.json'), 'utf8')), index);
  await symlink(store.folder, folder.join('link'));
  assert.equal((await openStore(folder.join('link'))).folder, await realpath(store.folder));
});

test('many that make one store at one time find one store', async () => {
  await using folder = await temporaryFolder();
  await Promise.all(
    Array.from({ length: 8 }, async () => (await openStore(folder.join('store'))).refs.list()),
  );
});

test('a folder that is not a store is left alone', async () => {
  await using folder = await temporaryFolder();
  await refused(openStore(folder.join('none'), { create: false }), 'not-found', /there is no store in/);
  await writeFile(folder.join('file'), '');
  await refused(openStore(folder.path), 'exists', /is not a store and not empty: it holds file/);
  await refused(openStore(folder.join('file')), 'io', /ENOTDIR/);
});

test('a half-made store is made whole, and one of another version refused', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.join('store', 'blobs', 'sha256'), { recursive: true });
  const store = await openStore(folder.join('store'));
  assert.deepEqual(await store.envs.list(), []);
  await writeFile(join(store.folder, 'oci-layout'), '{"imageLayoutVersion":"9.0.0"}');
  await refused(openStore(store.folder), 'corrupt', /oci-layout: imageLayoutVersion: .*9\.0\.0/);
});

test('an image layout that another program made becomes a store, and keeps what it has', async () => {
  await using folder = await temporaryFolder();
  const index = { schemaVersion: 2, manifests: [] };
  await mkdir(folder.join('theirs', 'blobs'), { recursive: true });
  await writeFile(folder.join('theirs', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(folder.join('theirs', 'index.json'), JSON.stringify(index));
  const store = await openStore(folder.join('theirs'), { create: false });
  assert.deepEqual(await store.refs.list(), []);
  assert.deepEqual(JSON.parse(await readFile(join(store.folder, 'index.json'), 'utf8')), index);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('the default is CALVE_STORE, then XDG_DATA_HOME, then the home folder', async () => {
  await using folder = await temporaryFolder();
  const { CALVE_STORE, XDG_DATA_HOME, HOME } = process.env;
  try {
    Object.assign(process.env, {
      CALVE_STORE: folder.join('a'),
      XDG_DATA_HOME: folder.join('b'),
      HOME: folder.join('c'),
    });
    assert.equal((await openStore()).folder, await realpath(folder.join('a')));
    process.env['CALVE_STORE'] = '';
    assert.equal((await openStore()).folder, await realpath(folder.join('b', 'calve')));
    delete process.env['XDG_DATA_HOME'];
    assert.equal((await openStore()).folder, await realpath(folder.join('c', '.local', 'share', 'calve')));
  } finally {
    const restored = { CALVE_STORE, XDG_DATA_HOME, HOME };
    for (const [name, value] of Object.entries(restored)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

test('a broken index.json is told by its field, and fsck goes on', async () => {
  await using folder = await temporaryFolder();
  const store = await openStore(folder.join('store'));
  await writeFile(join(store.folder, 'index.json'), '{"schemaVersion":2,"manifests":[{"digest":"x"}]}');
  await refused(store.refs.list(), 'corrupt', /index\.json: manifests\.0\./);
  assert.deepEqual(
    (await store.fsck()).problems.map(({ kind, where }) => [kind, where]),
    [['document-broken', 'index.json']],
  );
  await rm(join(store.folder, 'index.json'));
  await refused(store.refs.list(), 'not-found', /index\.json/);
});
