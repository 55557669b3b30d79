import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { test } from 'node:test';
import { createWithLuks } from '../../test/support/encrypted-image.ts';
import { run, succeed } from '../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { createLuks } from '../qcow2/encryption/create-luks.ts';
import { createQcow2, denyBacking, openQcow2 } from '../qcow2/index.ts';

/** An overlay made by QEMU; `base` is taken from its own folder. */
async function overlay(path: string, base: string, format: string, options: string[] = []): Promise<string> {
  const about = ['-F', format, '-b', basename(base), ...options];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...about, path]);
  return path;
}

/** A raw base of an odd length, a middle that grew, a tip that shrank, each with changes of its own. */
async function threeImages(scene: StoreScene): Promise<{ base: string; middle: string; tip: string }> {
  const base = await scene.rawDisk('base.raw', 3 * MiB + 700, {
    0: noise('base', 200_000),
    [3 * MiB]: Buffer.alloc(700, 'end'),
  });
  const middle = await overlay(scene.path('middle.qcow2'), base, 'raw', ['-o', 'cluster_size=4k']);
  await succeed('qemu-img', ['resize', '-q', middle, '5M']);
  await qemuIo(middle, ['write -P 2 100k 60k', 'write -P 2 4M 64k', 'write -z 0 64k']);
  const tip = await overlay(scene.path('tip.qcow2'), middle, 'qcow2', ['-o', 'cluster_size=128k']);
  await succeed('qemu-img', ['resize', '-q', '--shrink', tip, '4608k']);
  await qemuIo(tip, ['write -P 3 1M 10k', 'write -z 4M 128k']);
  return { base, middle, tip };
}

async function nothingIsThere({ context }: StoreScene): Promise<void> {
  assert.deepEqual(await readdir(context.layout.blobs), []);
  assert.deepEqual(await readdir(context.layout.tmp), []);
  assert.equal(JSON.parse(await readFile(context.layout.index, 'utf8')).manifests.length, 0);
}

test('with --chain each backing file is a version, the base first, with only its difference', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { base, middle, tip } = await threeImages(scene);
  const before = await Promise.all([base, middle, tip].map((path) => stat(path)));
  const { version, ref, earlier, summary, warnings } = await store.versions.import(tip, {
    chain: true,
    compression: 'none',
    message: 'all of it',
  });
  assert.deepEqual([ref, warnings, version.message], ['tip:latest', [], 'all of it']);
  const [first, second] = earlier.map((each) => each.version);
  assert.ok(first && second && earlier.length === 2);
  assert.deepEqual([second.parents, version.parents], [[first.digest], [second.digest]]);
  assert.deepEqual(
    [first, second, version].map((each) => each.made.from),
    ['base.raw', 'middle.qcow2', 'tip.qcow2'],
  );
  assert.deepEqual(version.layers.slice(0, 2), second.layers);
  // 100k to 160k are two clusters, 4M is one; of the zeros the first cluster held data before.
  assert.deepEqual([earlier[1]?.summary?.dataClusters, earlier[1]?.summary?.zeroClusters], [3, 1]);
  assert.deepEqual([summary.dataClusters, summary.zeroClusters], [1, 1]);
  for (const [each, path, format] of [
    [first, base, 'raw'],
    [second, middle, 'qcow2'],
    [version, tip, 'qcow2'],
  ] as const) {
    const file = await store.versions.path(each.digest);
    await qemuImgCompare(path, format, file, 'qcow2');
    await qemuImgCheck(file);
  }
  const flat = scene.path('flat.raw');
  await store.versions.export('tip', flat, { format: 'raw' });
  await qemuImgCompare(tip, 'qcow2', flat, 'raw');
  assert.deepEqual((await store.fsck()).problems, []);
  const after = await Promise.all([base, middle, tip].map((path) => stat(path)));
  assert.deepEqual(
    after.map((each) => [each.mtimeMs, each.ctimeMs]),
    before.map((each) => [each.mtimeMs, each.ctimeMs]),
  );
});

test('what two chains share is one version, and onto a version the base is a difference too', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { base, middle, tip } = await threeImages(scene);
  const other = await overlay(scene.path('other.qcow2'), middle, 'qcow2');
  await qemuIo(other, ['write -P 9 2M 64k']);
  const one = await store.versions.import(tip, { chain: true, compression: 'none' });
  const two = await store.versions.import(other, { chain: true, compression: 'none' });
  assert.deepEqual(
    two.earlier.map(({ version, summary }) => [version.digest, summary]),
    one.earlier.map(({ version }) => [version.digest, null]),
  );
  assert.deepEqual(two.version.parents, one.version.parents);
  await qemuImgCompare(other, 'qcow2', await store.versions.path('other'), 'qcow2');

  await store.versions.import(base, { ref: 'base', compression: 'none' });
  const onto = await store.versions.import(tip, {
    chain: true,
    compression: 'none',
    ref: 'onto',
    onto: 'base',
  });
  const [first] = onto.earlier;
  // Equal to what it went onto, it is that.
  assert.deepEqual(
    [first?.version.digest, first?.summary],
    [(await store.versions.get('base')).digest, null],
  );
  assert.deepEqual(onto.earlier[1]?.version.digest, one.earlier[1]?.version.digest);
  await qemuImgCompare(tip, 'qcow2', await store.versions.path('onto'), 'qcow2');
});

test('a chain is not followed where it leads nowhere, astray or in a circle, and nothing is imported', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('base.raw', MiB, { 0: noise('a', 1000) });
  const image = scene.path('image.qcow2');
  const named = async (backingFile: string, format?: string): Promise<void> => {
    await overlay(image, raw, 'raw');
    const about = format === undefined ? [] : ['-F', format];
    await succeed('qemu-img', ['rebase', '-u', ...about, '-b', backingFile, image]);
  };
  const cases: [string, string | undefined, Parameters<typeof refused>[1], RegExp][] = [
    ['json:{"driver":"file","filename":"/etc/passwd"}', 'raw', 'denied', /expected a file as backing file/],
    ['nbd://localhost/disk', 'raw', 'denied', /expected a file as backing file/],
    ['gone.raw', 'raw', 'not-found', /its backing file is not at .*gone\.raw/],
    ['base.raw', 'qcow2', 'invalid', /base\.raw is said to be qcow2, and is not/],
    ['base.raw', 'vmdk', 'unsupported', /"vmdk"/],
    ['image.qcow2', 'qcow2', 'invalid', /is a cycle/],
    ['.', 'raw', 'unsupported', /regular file/],
  ];
  for (const [backingFile, format, code, message] of cases) {
    await named(backingFile, format);
    await refused(store.versions.import(image, { chain: true, compression: 'none' }), code, message);
  }
  await createQcow2(scene.path('old.qcow2'), {
    size: MiB,
    backingFile: 'base.raw',
    backingFormat: '',
  });
  await refused(
    store.versions.import(scene.path('old.qcow2'), { chain: true, compression: 'none' }),
    'unsupported',
  );
  await refused(store.versions.import(image), 'unsupported', /has a backing file/);
  const middle = scene.path('middle.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', middle, '1M']);
  const top = await overlay(scene.path('top.qcow2'), middle, 'qcow2');
  {
    await using vm = await holdInQemuIo(middle);
    const inUse = new RegExp(`middle.qcow2 is in use by qemu-io \\(pid ${vm.pid}\\)`);
    await refused(store.versions.import(top, { chain: true, compression: 'none' }), 'in-use', inUse);
  }
  await nothingIsThere(scene);
});

test('an import of a chain that is cut off in any of its images leaves nothing', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { tip } = await threeImages(scene);
  const controller = new AbortController();
  let reached = 0;
  const importing = store.versions.import(tip, {
    chain: true,
    compression: 'none',
    signal: controller.signal,
    onProgress: ({ done, total }) => {
      assert.ok(done >= reached && done <= total, `${done} after ${reached} of ${total}`);
      reached = done;
      // In the second of three images.
      if (done > 4 * MiB) controller.abort();
    },
  });
  await refused(importing, 'aborted');
  assert.ok(reached > 4 * MiB);
  await nothingIsThere(scene);
});

/** The disk of a snapshot, as QEMU reads it. */
async function snapshotAsRaw(image: string, name: string, raw: string): Promise<string> {
  await succeed('qemu-img', ['convert', '-f', 'qcow2', '-l', name, '-O', 'raw', image, raw]);
  return raw;
}

test('with --snapshots each internal snapshot is a version, the oldest first, then the disk as it is', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const { base, tip } = await threeImages(scene);
  await succeed('qemu-img', ['snapshot', '-c', 'fresh', tip]);
  await qemuIo(tip, ['write -P 4 2M 256k', 'discard 1M 128k']);
  await succeed('qemu-img', ['snapshot', '-c', 'second', tip]);
  await succeed('qemu-img', ['snapshot', '-c', 'same', tip]);
  await succeed('qemu-img', ['resize', '-q', '--shrink', tip, '2M']);
  await succeed('qemu-img', ['resize', '-q', tip, '6M']);
  await qemuIo(tip, ['write -P 5 5M 64k']);
  await succeed('qemu-img', ['snapshot', '-c', 'grown', tip]);
  await qemuIo(tip, ['write -P 6 0 64k']);
  const { version, earlier, warnings, summary } = await store.versions.import(tip, {
    chain: true,
    compression: 'none',
    snapshots: true,
  });
  assert.deepEqual(warnings, []);
  const made = [...earlier.map((each) => each.version), version];
  assert.deepEqual(
    made.map((each) => each.message),
    ['', '', 'fresh', 'second', 'same', 'grown', ''],
  );
  for (const [at, each] of made.entries())
    assert.deepEqual(each.parents, at === 0 ? [] : [made[at - 1]?.digest]);
  const listed = await succeed('qemu-img', ['info', '--output', 'json', tip]);
  const dates = JSON.parse(listed).snapshots.map((each: { 'date-sec': number }) => each['date-sec']);
  assert.deepEqual(
    made.slice(2, 6).map((each) => Math.floor(Date.parse(each.created) / 1000)),
    dates,
  );
  for (const each of made.slice(2, 6)) {
    const raw = await snapshotAsRaw(tip, each.message, scene.path('snapshot.raw'));
    // QEMU converts a snapshot at the size that the disk has now.
    assert.equal(each.size, each.message === 'grown' ? 6 * MiB : 4608 * 1024);
    await qemuImgCompare(raw, 'raw', await store.versions.path(each.digest), 'qcow2');
  }
  await qemuImgCompare(tip, 'qcow2', await store.versions.path('tip'), 'qcow2');
  await qemuImgCompare(base, 'raw', await store.versions.path(made[0]?.digest ?? ''), 'qcow2');
  // Only differences: four clusters of 64 KiB and what was discarded; nothing; one cluster.
  const second = earlier[3]?.summary;
  assert.deepEqual([second?.dataClusters, second?.zeroClusters], [4, 1]);
  assert.deepEqual(earlier[4]?.version.layers, earlier[3]?.version.layers);
  assert.equal(summary.dataClusters, 1);
  assert.deepEqual((await store.fsck()).problems, []);

  const again = await store.versions.import(tip, {
    chain: true,
    compression: 'none',
    snapshots: true,
    ref: 'again',
  });
  assert.deepEqual(
    again.earlier.map((each) => each.version.digest),
    earlier.map((each) => each.version.digest),
  );
});

test('snapshots of an image that stands on nothing, and one of them with the state of a machine', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const image = scene.path('image.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', image, '4M']);
  await qemuIo(image, ['write -P 1 0 128k']);
  const args = ['-accel', 'tcg', '-m', '8', '-S', '-nodefaults', '-no-user-config', '-display', 'none'];
  const drive = ['-drive', `file=${image},format=qcow2,if=virtio`, '-monitor', 'stdio'];
  const ran = await run('qemu-system-x86_64', [...args, ...drive], { input: 'savevm running\nquit\n' });
  assert.equal(ran.code, 0);
  await qemuIo(image, ['write -P 2 64k 64k']);
  const { version, earlier, warnings } = await store.versions.import(image, {
    snapshots: true,
    compression: 'none',
  });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /snapshot "running" holds the state of a running machine .* not imported/);
  const [{ version: snapshot } = assert.fail()] = earlier;
  const raw = await snapshotAsRaw(image, 'running', scene.path('snapshot.raw'));
  await qemuImgCompare(raw, 'raw', await store.versions.path(snapshot.digest), 'qcow2');
  await qemuImgCompare(image, 'qcow2', await store.versions.path(version.digest), 'qcow2');
});

test('a data file is read with --chain alone, and an encrypted image with its passphrase', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const external = scene.path('external.qcow2');
  const named = ['-o', `data_file=${scene.path('data')},data_file_raw=on`];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...named, external, '1M']);
  await qemuIo(external, ['write -P 5 100k 100k']);
  const error = await refused(store.versions.import(external), 'unsupported', /data file/);
  assert.match(error.hint ?? '', /--chain/);
  await store.versions.import(external, { chain: true, compression: 'none' });
  await qemuImgCompare(external, 'qcow2', await store.versions.path('external'), 'qcow2');

  const passphrase = Buffer.from('open sesame');
  const locked = scene.path('locked.qcow2');
  const luks = await createLuks(passphrase, { iterations: { keySlot: 1000, masterKey: 1000 } });
  luks.cipher[Symbol.dispose]();
  await createWithLuks(locked, luks);
  {
    await using disk = await openQcow2(locked, {
      writable: true,
      backing: denyBacking,
      encryption: { passphrase },
    });
    await disk.write(noise('secret', 100_000), 5000);
  }
  const top = await overlay(scene.path('top.qcow2'), locked, 'qcow2');
  for (const [path, chain] of [
    [locked, false],
    [top, true],
  ] as const) {
    const denied = await refused(
      store.versions.import(path, { chain, compression: 'none' }),
      'denied',
      /locked.qcow2 is encrypted \(luks\)/,
    );
    assert.match(denied.hint ?? '', /--secret-file/);
    const wrong = { chain, passphrase: Buffer.from('sesame') };
    await refused(store.versions.import(path, wrong), 'denied', /passphrase/);
    const { warnings } = await store.versions.import(path, { chain, passphrase });
    assert.match(warnings.join(), /locked.qcow2 is encrypted \(luks\); what was imported is not/);
    const name = basename(path, '.qcow2');
    await using disk = await store.versions.openDisk(name);
    const read = Buffer.alloc(100_000);
    await disk.read(read, 5000);
    assert.deepEqual(read, noise('secret', 100_000), name);
  }
});
