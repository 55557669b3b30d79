import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { succeed } from '../../../test/support/programs.ts';
import { qemuIo } from '../../../test/support/qemu.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Disk, isWritable } from '../../disk/index.ts';
import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { diskExport } from './disk-export.ts';
import { openImageFile } from './open-image-file.ts';

const refusedAs = (code: ErrorCode) => (error: unknown) => CalveError.is(error, code);

async function firstByte(opening: Promise<Disk>): Promise<number> {
  await using disk = await opening;
  const byte = new Uint8Array(1);
  await disk.read(byte, 0);
  return byte[0] ?? -1;
}

test('a file is what it begins as, unless it is said to be something else', async () => {
  await using folder = await temporaryFolder();
  const [raw, qcow2, vmdk] = [folder.join('disk.raw'), folder.join('disk.qcow2'), folder.join('disk.vmdk')];
  await writeFile(raw, Buffer.alloc(65536, 1));
  await succeed('qemu-img', ['convert', '-O', 'qcow2', raw, qcow2]);
  await succeed('qemu-img', ['convert', '-O', 'vmdk', raw, vmdk]);
  assert.equal(await firstByte(openImageFile(raw)), 1);
  assert.equal(await firstByte(openImageFile(qcow2)), 1);
  assert.equal(await firstByte(openImageFile(qcow2, { format: 'raw' })), 'Q'.charCodeAt(0));
  await assert.rejects(openImageFile(vmdk), refusedAs('unsupported'));
  await assert.rejects(openImageFile(raw, { format: 'qcow2' }), refusedAs('invalid'));
  await using disk = await openImageFile(raw, { writable: true });
  assert.ok(isWritable(disk));
  await assert.rejects(openImageFile(raw), refusedAs('in-use'));
});

test('what an image names is opened with chain alone, and a file of mode 0444 is not written', async () => {
  await using folder = await temporaryFolder();
  const [base, overlay] = [folder.join('base.raw'), folder.join('overlay.qcow2')];
  await writeFile(base, Buffer.alloc(65536, 7));
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, overlay]);
  await assert.rejects(openImageFile(overlay), (error) => {
    assert.ok(CalveError.is(error, 'denied'));
    assert.match(error.hint ?? '', /calve nbd --chain/);
    return true;
  });
  assert.equal(await firstByte(openImageFile(overlay, { chain: true })), 7);
  await chmod(overlay, 0o444);
  await assert.rejects(openImageFile(overlay, { chain: true, writable: true }), refusedAs('denied'));
  assert.equal(await firstByte(openImageFile(overlay, { chain: true })), 7);
});

test('a snapshot is found by its id, its name, or both, and is only read', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('disk.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
  await qemuIo(path, ['write -P 1 0 64k']);
  await succeed('qemu-img', ['snapshot', '-c', 'before', path]);
  await qemuIo(path, ['write -P 2 0 64k']);
  for (const snapshot of [
    { idOrName: 'before' },
    { idOrName: '1' },
    { id: '1', name: 'before' },
    { name: 'before' },
  ]) {
    assert.equal(await firstByte(openImageFile(path, { snapshot, writable: true })), 1);
  }
  assert.equal(await firstByte(openImageFile(path)), 2);
  await assert.rejects(
    openImageFile(path, { snapshot: { id: '2', name: 'before' } }),
    refusedAs('not-found'),
  );
  await using disk = await openImageFile(path, { snapshot: { name: 'before' }, writable: true });
  assert.ok(!isWritable(disk));
});

test('a bitmap that is not there is refused before any client comes', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('disk.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
  await succeed('qemu-img', ['bitmap', '--add', path, 'monday']);
  await using disk = await openImageFile(path);
  const { contexts } = await diskExport(disk, { readOnly: true, bitmaps: ['monday'], allocationDepth: true });
  assert.deepEqual(
    contexts?.map(({ name }) => name),
    ['qemu:allocation-depth', 'qemu:dirty-bitmap:monday'],
  );
  await assert.rejects(diskExport(disk, { readOnly: true, bitmaps: ['tuesday'] }), refusedAs('not-found'));
});
