import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { findProgram, succeed } from '../../test/support/programs.ts';
import { qemuImgCompare } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene } from '../../test/support/store-scene.ts';

/** A disk of 4 MiB in a foreign format. */
async function foreign(scene: StoreScene, format: string, name: string, subformat?: string): Promise<string> {
  const raw = await scene.rawDisk('source.raw', 4 * MiB, {
    0: noise('a', 90_000),
    3000000: noise('b', 70_000),
  });
  const options = subformat === undefined ? [] : ['-o', `subformat=${subformat}`];
  await succeed('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, scene.path(name)]);
  return scene.path(name);
}

async function nothingIsThere({ context }: StoreScene): Promise<void> {
  assert.deepEqual(await readdir(context.layout.blobs), []);
  assert.deepEqual(await readdir(context.layout.tmp), []);
}

test('VMDK, VDI, VHDX and VHD are told by their first bytes, and read by qemu-img', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const cases: [format: string, name: string, subformat?: string][] = [
    ['vmdk', 'whole.vmdk'],
    ['vmdk', 'stream.vmdk', 'streamOptimized'],
    ['vdi', 'disk.vdi'],
    ['vhdx', 'disk: 1.vhdx'],
    ['vpc', 'disk.vhd'],
  ];
  for (const [format, name, subformat] of cases) {
    const path = await foreign(scene, format, name, subformat);
    const phases = new Set<string>();
    const { version, ref } = await store.versions.import(path, {
      compression: 'none',
      ref: name.replace(/\W+/g, '-'),
      onProgress: ({ phase, done, total }) => {
        assert.ok(done <= total);
        phases.add(phase);
      },
    });
    assert.deepEqual([...phases], ['converting', 'reading']);
    assert.equal(version.made.from, name);
    await qemuImgCompare(path, format, await store.versions.path(ref ?? ''), 'qcow2');
    assert.deepEqual(await readdir(scene.context.layout.tmp), []);
  }
  // Nothing at its start says that it is one.
  const fixed = await foreign(scene, 'vpc', 'fixed.vhd', 'fixed');
  await store.versions.import(fixed, { format: 'vpc', ref: 'fixed', compression: 'none' });
  await qemuImgCompare(fixed, 'vpc', await store.versions.path('fixed'), 'qcow2');
});

test('a VMDK in several files is read with --chain alone, and only files of its own folder', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const secret = scene.path('secret');
  await writeFile(secret, noise('secret', 4 * MiB));
  for (const [name, subformat] of [
    ['split.vmdk', 'twoGbMaxExtentSparse'],
    ['flat.vmdk', 'monolithicFlat'],
  ] as const) {
    const path = await foreign(scene, 'vmdk', name, subformat);
    const error = await refused(store.versions.import(path), 'denied', /its data lies in other files/);
    assert.match(error.hint ?? '', /--chain/);
    const { ref } = await store.versions.import(path, { chain: true, compression: 'none' });
    await qemuImgCompare(path, 'vmdk', await store.versions.path(ref ?? ''), 'qcow2');
  }
  const text = (await readFile(scene.path('flat.vmdk'), 'latin1')).replace(/\0+$/, '');
  await mkdir(scene.path('in'));
  await symlink(secret, scene.path('in/link'));
  await writeFile(scene.path('in/plain'), noise('plain', 4 * MiB));
  const hostile = scene.path('in/hostile.vmdk');
  const cases: [string, Parameters<typeof refused>[1], RegExp][] = [
    [text.replace('flat-flat.vmdk', secret), 'denied', /expected an extent in its own folder/],
    [text.replace('flat-flat.vmdk', '../secret'), 'denied', /expected an extent in its own folder/],
    [text.replace('flat-flat.vmdk', 'link'), 'denied', /no regular file/],
    [text.replace('flat-flat.vmdk', 'gone'), 'not-found', /its extent/],
    [text.replace('RW ', 'RW\t'), 'unsupported', /expected an extent, got/],
    [text.replace('FLAT', 'SPARSE').replace('flat-flat.vmdk', 'plain'), 'invalid', /expected a VMDK/],
    [text.replace('ffffffff', '12345678'), 'unsupported', /stands on a parent/],
    [text.replace('monolithicFlat', 'fullDevice'), 'unsupported', /createType/],
  ];
  for (const [descriptor, code, message] of cases) {
    await writeFile(hostile, descriptor, 'latin1');
    await refused(store.versions.import(hostile, { chain: true, compression: 'none' }), code, message);
  }
});

test('what a foreign image could make qemu-img open is refused, with and without --chain', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const whole = await foreign(scene, 'vmdk', 'whole.vmdk');
  const patched = async (name: string, offset: number, bytes: Buffer): Promise<string> => {
    await copyFile(whole, scene.path(name));
    await using file = await open(scene.path(name), 'r+');
    await file.write(bytes, 0, bytes.length, offset);
    return scene.path(name);
  };
  // A sparse extent of no capacity is read as the descriptor in it, which may name anything.
  const descriptor = Buffer.from(
    `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "${scene.path('source.raw')}" 0\n\0`,
  );
  const { length } = await readFile(whole);
  const empty = await patched('empty.vmdk', length, descriptor);
  {
    await using file = await open(empty, 'r+');
    // Capacity; where the descriptor lies, in sectors, and how long it says that it is.
    await file.write(Buffer.alloc(8), 0, 8, 12);
    const place = Buffer.alloc(16);
    place.writeBigUInt64LE(BigInt(length / 512));
    await file.write(place, 0, 16, 28);
  }
  const leaks = spawnSync('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', empty, scene.path('leak')]);
  assert.equal(leaks.status, 0, 'QEMU does follow it');
  const parent = await patched('parent.vmdk', 512 + 400, Buffer.from('\nparentFileNameHint="/etc/passwd"\n'));
  const vhd = await foreign(scene, 'vpc', 'diff.vhd');
  {
    await using file = await open(vhd, 'r+');
    await file.write(Buffer.from([0, 0, 0, 4]), 0, 4, 60);
  }
  for (const chain of [false, true]) {
    await refused(store.versions.import(empty, { chain }), 'denied', /its data lies in other files/);
    await refused(store.versions.import(parent, { chain }), 'unsupported', /stands on a parent/);
    await refused(store.versions.import(vhd, { chain }), 'unsupported', /got one differencing/);
  }
  const raw = scene.path('source.raw');
  await refused(store.versions.import(raw, { format: 'vpc' }), 'invalid', /expected a VHD/);
  await refused(store.versions.import(raw, { format: 'vmdk' }), 'invalid', /expected a VMDK/);
  const vdi = await refused(
    store.versions.import(raw, { format: 'vdi' }),
    'invalid',
    /cannot read .* as vdi: .*VDI/,
  );
  assert.ok(!vdi.message.includes('\n'));
  await nothingIsThere(scene);
});

test('without qemu-img it says which package brings it; an abort ends qemu-img', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const vdi = await foreign(scene, 'vdi', 'disk.vdi');
  const path = process.env['PATH'];
  const bin = scene.path('bin');
  await mkdir(bin);
  process.env['PATH'] = bin;
  try {
    const error = await refused(store.versions.import(vdi), 'unsupported', /qemu-img.* is not installed/);
    assert.match(error.hint ?? '', /apt-get install qemu-utils/);
    // One that never ends, and tells that it has begun.
    const begun = scene.path('begun');
    await writeFile(`${bin}/qemu-img`, `#!/bin/sh\necho $$ > ${begun}\nexec ${findProgram('sleep')} 600\n`);
    await chmod(`${bin}/qemu-img`, 0o755);
    const controller = new AbortController();
    const importing = refused(store.versions.import(vdi, { signal: controller.signal }), 'aborted');
    let pid = '';
    for (let tries = 0; pid === '' && tries < 500; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      pid = (await readFile(begun, 'utf8').catch(() => '')).trim();
    }
    controller.abort();
    await importing;
    assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
  } finally {
    process.env['PATH'] = path;
  }
  await nothingIsThere(scene);
});
