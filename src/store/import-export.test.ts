import assert from 'node:assert/strict';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, storeScene } from '../../test/support/store-scene.ts';
import { Qcow2Disk } from '../qcow2/index.ts';

const CONTENT = { 0: noise('a', 150_000), 2000000: noise('b', 70_000), [3 * MiB]: Buffer.alloc(MiB, 'x') };

test('a raw disk and its qcow2 images become one layer, by any compression the same disk', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const raw = await scene.rawDisk('disk.raw', 6 * MiB, CONTENT);
  const sources: [string, string[]][] = [
    ['v3.qcow2', []],
    ['v2.qcow2', ['-o', 'compat=0.10,cluster_size=4k']],
    ['packed.qcow2', ['-c', '-o', 'compression_type=zstd']],
  ];
  const { version } = await store.versions.import(raw, { ref: 'raw', message: 'from raw' });
  const [layer] = version.layers;
  assert.ok(layer);
  assert.deepEqual(
    [version.size, version.parents, version.made],
    [6 * MiB, [], { command: 'import', from: 'disk.raw' }],
  );
  for (const [name, options] of sources) {
    await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, scene.path(name)]);
    const imported = await store.versions.import(scene.path(name));
    assert.equal(imported.ref, `${name.replace('.qcow2', '')}:latest`);
    assert.deepEqual(imported.version.layers, version.layers, name);
    assert.deepEqual(imported.warnings, []);
  }
  await qemuImgCompare(raw, 'raw', context.layout.blob(layer.digest), 'qcow2');
  for (const compression of ['deflate', 'none'] as const) {
    const other = await store.versions.import(raw, { ref: compression, compression });
    const path = await store.versions.path(compression);
    assert.notDeepEqual(other.version.layers, version.layers);
    await qemuImgCheck(path);
    await qemuImgCompare(raw, 'raw', path, 'qcow2');
  }
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a qcow2 file that is said to be raw is kept as its bytes, whose size becomes whole sectors', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', scene.path('disk.qcow2'), '1M']);
  const { version } = await store.versions.import(scene.path('disk.qcow2'), { format: 'raw' });
  assert.equal(version.size % 512, 0);
  assert.ok(version.size >= (await stat(scene.path('disk.qcow2'))).size);
  const odd = await scene.rawDisk('odd.raw', 1000, { 0: noise('odd', 1000) });
  assert.equal((await store.versions.import(odd)).version.size, 1024);
  await store.versions.export('odd', scene.path('out.raw'), { format: 'raw' });
  assert.deepEqual(
    await readFile(scene.path('out.raw')),
    Buffer.concat([noise('odd', 1000), Buffer.alloc(24)]),
  );
});

test('onto a version only the difference is stored, also where data became zeros and the disk grew or shrank', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const base = await scene.rawDisk('base.raw', 6 * MiB, CONTENT);
  await store.versions.import(base, { ref: 'base' });
  for (const [name, size] of [
    ['same', 6 * MiB],
    ['grown', 8 * MiB],
    ['shrunk', 4 * MiB],
  ] as const) {
    const disk = await scene.rawDisk(`${name}.raw`, size, {
      0: noise('a', 150_000),
      2500000: noise('new', 60_000),
    });
    const { version, summary } = await store.versions.import(disk, { ref: name, onto: 'base' });
    assert.deepEqual(version.parents, [(await store.versions.get('base')).digest]);
    assert.equal(version.layers.length, 2);
    assert.ok(summary.dataClusters <= 2, JSON.stringify(summary));
    assert.ok(summary.zeroClusters >= 2);
    await qemuImgCompare(disk, 'raw', await store.versions.path(name), 'qcow2');
    await qemuImgCheck(await store.versions.path(name));
  }
  // A ref that still points at the parent moves on; one that is elsewhere does not.
  const { version } = await store.versions.import(scene.path('same.raw'), { ref: 'base', onto: 'base' });
  assert.equal((await store.refs.get('base')).version, version.digest);
  await refused(
    store.versions.import(base, { ref: 'base', onto: 'grown' }),
    'diverged',
    /base:latest is version/,
  );
  await refused(store.versions.import(base, { ref: 'base' }), 'exists', /base:latest is version .* already/);
  await refused(store.versions.import(base, { onto: 'nothing' }), 'not-found');
});

test('what a version cannot keep is refused by its name', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const raw = await scene.rawDisk('disk.raw', MiB, { 0: noise('a', 1000) });
  const overlay = scene.path('overlay.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', raw, overlay]);
  const backed = await refused(
    store.versions.import(overlay),
    'unsupported',
    /has a backing file, ".*disk\.raw"/,
  );
  assert.match(backed.hint ?? '', /^calve import --chain /);
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', scene.path('luks.qcow2'), '1M']);
  {
    // crypt_method, bytes 32 to 35 of the header.
    await using image = await open(scene.path('luks.qcow2'), 'r+');
    await image.write(Buffer.from([0, 0, 0, 2]), 0, 4, 32);
  }
  await refused(store.versions.import(scene.path('luks.qcow2')), 'denied', /is encrypted \(luks\)/);
  const external = ['-o', `data_file=${scene.path('data')},data_file_raw=on`];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...external, scene.path('external.qcow2'), '1M']);
  await refused(store.versions.import(scene.path('external.qcow2')), 'unsupported', /data file/i);
  await writeFile(scene.path('torn.qcow2'), 'QFI\xfb\0\0\0\x03', 'latin1');
  await refused(store.versions.import(scene.path('torn.qcow2')), 'invalid');
  await refused(store.versions.import(scene.path('none')), 'not-found');
  await refused(store.versions.import(store.folder), 'unsupported', /regular file/);
  assert.deepEqual(await readdir(context.layout.blobs), []);
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('internal snapshots are left behind, and said to be', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('disk.raw', MiB, { 0: noise('a', 100_000) });
  const image = scene.path('image.qcow2');
  await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image]);
  await succeed('qemu-img', ['snapshot', '-c', 'before', image]);
  await qemuIo(image, ['write -P 7 0 64k']);
  const { version, warnings } = await store.versions.import(image);
  assert.match(warnings.join(), /has 1 internal snapshots; only its current state/);
  await qemuImgCompare(image, 'qcow2', await store.versions.path(version.digest), 'qcow2');
});

test('a disk that a program writes is not imported, and one that is being imported is not written', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const image = scene.path('image.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', image, '4M']);
  await using vm = await holdInQemuIo(image);
  await refused(store.versions.import(image), 'in-use', new RegExp(`qemu-io \\(pid ${vm.pid}\\)`));
});

test('an import that is cut off leaves nothing', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const raw = await scene.rawDisk('disk.raw', 6 * MiB, CONTENT);
  const controller = new AbortController();
  const seen: number[] = [];
  const importing = store.versions.import(raw, {
    signal: controller.signal,
    onProgress: ({ phase, done, total }) => {
      assert.deepEqual([phase, total], ['reading', 6 * MiB]);
      seen.push(done);
      controller.abort();
    },
  });
  await refused(importing, 'aborted');
  assert.ok(seen.length > 0);
  for (const folder of [context.layout.tmp, context.layout.blobs])
    assert.deepEqual(await readdir(folder), []);
  assert.deepEqual(await store.refs.list(), []);
});

test('an export is one flat file that reads as the version or env does, and replaces nothing unasked', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('disk.raw', 6 * MiB, CONTENT);
  await store.versions.import(raw, { ref: 'base' });
  await store.envs.create('base', { name: 'work' });
  const overlay = await store.envs.path('work');
  await qemuIo(overlay, ['write -P 3 1M 100k', 'write -z 3M 512k', 'discard 0 64k']);
  await store.envs.commit('work');
  await qemuIo(overlay, ['write -P 4 5M 1k']);
  for (const [target, path] of [
    ['base', await store.versions.path('base')],
    ['base~1', await store.versions.path('base~1')],
    ['work', overlay],
  ] as const) {
    for (const format of ['raw', 'qcow2'] as const) {
      const out = scene.path(`${target}.${format}`);
      let last = 0;
      await store.versions.export(target, out, { format, onProgress: ({ done }) => (last = done) });
      assert.equal(last, 6 * MiB);
      await qemuImgCompare(path, 'qcow2', out, format);
      if (format === 'qcow2') await qemuImgCheck(out);
      const info = JSON.parse(await succeed('qemu-img', ['info', '-f', format, '--output', 'json', out]));
      assert.equal(info['backing-filename'], undefined);
      assert.ok(info['actual-size'] < 4 * MiB, `${out} is sparse`);
    }
  }
  const out = scene.path('base.raw');
  await refused(store.versions.export('base', out, { format: 'raw' }), 'exists', /exists already/);
  await store.versions.export('base~1', out, { format: 'raw', force: true });
  await qemuImgCompare(raw, 'raw', out, 'raw');
  await refused(store.versions.export('base', scene.path('no/such/folder')), 'not-found');
  const aborted = store.versions.export('base', scene.path('cut.raw'), { signal: AbortSignal.abort() });
  await refused(aborted, 'aborted');
  assert.deepEqual(
    (await readdir(scene.path('.'))).filter((name) => /part|cut/.test(name)),
    [],
  );
});

test('a version’s disk is opened for reading alone', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await store.versions.import(await scene.rawDisk('disk.raw', MiB), { ref: 'base' });
  await using disk = await store.versions.openDisk('base');
  assert.ok(disk instanceof Qcow2Disk);
  await refused(disk.write(Buffer.alloc(512), 0), 'denied');
});
