import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import { run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuIo } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { decodeHeader } from '../header.ts';
import { createQcow2, denyBacking, openQcow2 } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (): string => {
  names += 1;
  return folder.join(`${names}.qcow2`);
};

const MIB = 1024 ** 2;
const open = (path: string) => openQcow2(path, { writable: true, backing: denyBacking });
const isDirty = async (path: string) => decodeHeader(await readFile(path)).incompatible.has('dirty');

async function lazyImage(): Promise<string> {
  const path = fresh();
  await createQcow2(path, { size: 4 * MIB, clusterSize: 4096, lazyRefcounts: true });
  return path;
}

/** A copy of an image that is open: what is left of it after a crash of the program. */
async function crashed(path: string): Promise<string> {
  const copy = fresh();
  await copyFile(path, copy);
  return copy;
}

async function countsOf(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  const at = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))));
  return bytes.subarray(at, at + 4096);
}

describe('trap 10: lazy refcounts', () => {
  it('are written when the image is closed, and the dirty bit stands in for them until then', async () => {
    const path = await lazyImage();
    const before = await countsOf(path);
    const disk = await open(path);
    await disk.write(Buffer.alloc(MIB, 7), 0);
    await disk.flush();
    assert.ok(await isDirty(path));
    assert.ok((await countsOf(path)).equals(before), 'refcounts are as they were');
    await disk.write(Buffer.alloc(MIB, 8), MIB);
    await disk.discard(0, MIB / 2);
    await disk.flush();
    const left = await crashed(path);
    await disk.close();
    assert.ok(!(await isDirty(path)));
    await qemuImgCheck(path);
    const info = await succeed('qemu-img', ['info', path]);
    assert.match(info, /lazy refcounts: true/);
    // What was flushed is there after the crash, once refcounts are rebuilt.
    const after = await open(left);
    assert.match(after.warnings.join(), /was not closed: its refcounts were rebuilt \([1-9]/);
    const bytes = Buffer.alloc(MIB + MIB / 2);
    await after.read(bytes, MIB / 2);
    assert.ok(bytes.equals(Buffer.concat([Buffer.alloc(MIB / 2, 7), Buffer.alloc(MIB, 8)])));
    await after.write(Buffer.alloc(MIB, 9), 2 * MIB);
    await after.close();
    await qemuImgCheck(left);
    await qemuIo(left, ['read -P 0 0 512k', 'read -P 7 512k 512k', 'read -P 8 1M 1M', 'read -P 9 2M 1M']);
  });

  it('do not mark an image where data is written to its place alone', async () => {
    const path = await lazyImage();
    await qemuIo(path, ['write -P 1 0 64k']);
    await using disk = await open(path);
    await disk.write(Buffer.alloc(8192, 2), 4096);
    await disk.flush();
    assert.ok(!(await isDirty(path)));
  });

  it('stay as they are wished through a resize', async () => {
    const path = await lazyImage();
    const disk = await open(path);
    await disk.write(Buffer.alloc(512, 7), 0);
    await disk.flush();
    await disk.resize(64 * MIB);
    await disk.close();
    const header = decodeHeader(await readFile(path));
    assert.ok(header.compatible.has('lazy refcounts') && !header.incompatible.has('dirty'));
    await qemuImgCheck(path);
  });

  it('of QEMU, which ended without closing the image, are rebuilt', async () => {
    const path = await lazyImage();
    const commands = ['write -P 5 0 1M', 'flush', 'abort'].flatMap((command) => ['-c', command]);
    await run('qemu-io', [...commands, path]);
    assert.ok(await isDirty(path));
    const disk = await open(path);
    assert.match(disk.warnings.join(), /was not closed/);
    const bytes = Buffer.alloc(MIB);
    await disk.read(bytes, 0);
    assert.ok(bytes.equals(Buffer.alloc(MIB, 5)));
    await disk.close();
    await qemuImgCheck(path);
  });
});

describe('an image that was not closed, and that is damaged otherwise', () => {
  it('is left as it is, with the command that mends it', async () => {
    const path = await lazyImage();
    await qemuIo(path, ['write -P 5 0 64k']);
    const image = await DamagedImage.open(path);
    // The L2 entry does not lead to the start of a cluster; and the dirty bit.
    image.change(image.l2Entry(3), (entry) => entry | 0x400n);
    image.set(72, 1n);
    await image.save();
    const before = await readFile(path);
    const error = await refused(open(path), 'corrupt', /more than its refcounts is wrong/);
    assert.equal(error.hint, `qemu-img check -r all ${path}`);
    assert.ok((await readFile(path)).equals(before));
    // It can be read all the same.
    await using disk = await openQcow2(path, { backing: denyBacking });
    await disk.read(new Uint8Array(4096), 0);
  });
});
