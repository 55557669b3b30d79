import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { LatencyWatch } from './latency-watch.ts';
import { openRawDisk } from './open-raw-disk.ts';
import { RawDisk } from './raw-disk.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

/** A path to a new file of zeros. */
async function newFile(size: number): Promise<string> {
  made += 1;
  const path = folder.join(`${made}.raw`);
  await writeFile(path, '');
  await truncate(path, size);
  return path;
}

diskContract('RawDisk', async (size) => openRawDisk(await newFile(size), { writable: true }));

describe('RawDisk', () => {
  it('reads and writes the bytes that QEMU writes and reads', async () => {
    const path = await newFile(3 * 65_536);
    await qemuIo(path, ['write -P 7 1000 70000'], 'raw');
    {
      await using disk = await openRawDisk(path, { writable: true });
      const found = Buffer.alloc(70_002);
      await disk.read(found, 999);
      assert.ok(found.equals(Buffer.concat([Buffer.of(0), Buffer.alloc(70_000, 7), Buffer.of(0)])));
      await disk.write(Buffer.alloc(5000, 9), 100_001);
    }
    const model = await newFile(3 * 65_536);
    await qemuIo(model, ['write -P 7 1000 70000', 'write -P 9 100001 5000'], 'raw');
    await qemuImgCompare(path, 'raw', model, 'raw');
  });

  it('is as long as the file to the byte', async () => {
    const path = folder.join('odd.raw');
    await writeFile(path, Buffer.alloc(1001, 3));
    await using disk = await openRawDisk(path);
    assert.equal(disk.size, 1001);
    const last = Buffer.alloc(1);
    await disk.read(last, 1000);
    assert.deepEqual(last, Buffer.of(3));
    await assert.rejects(disk.read(last, 1001), { code: 'out-of-range' });
  });

  it('says that a file cut short under it no longer holds the range', async () => {
    const path = await newFile(65_536);
    await using disk = await openRawDisk(path);
    await truncate(path, 1000);
    const expected = {
      code: 'io',
      message: `expected 512 bytes at 600 in ${path}, got 400: it was cut short meanwhile`,
    };
    await assert.rejects(disk.read(Buffer.alloc(512), 600), expected);
    assert.throws(() => disk.tryRead(Buffer.alloc(512), 600), expected);
  });

  it('gives storage back where it is zeroed with unmap or discarded, and keeps it without', async () => {
    const path = await newFile(1 << 20);
    await using disk = await openRawDisk(path, { writable: true });
    await disk.write(Buffer.alloc(1 << 20, 5), 0);
    await disk.flush();
    assert.equal(disk.file.stat().allocated, 1 << 20);
    await disk.writeZeroes(0, 1 << 19, { unmap: false });
    assert.equal(disk.file.stat().allocated, 1 << 20);
    await disk.writeZeroes(0, 1 << 18);
    assert.equal(disk.file.stat().allocated, 3 << 18);
    await disk.discard(1 << 19, 1 << 19);
    assert.equal(disk.file.stat().allocated, 1 << 18);
    const kinds = await Array.fromAsync(disk.extents(0, 1 << 20));
    assert.deepEqual(kinds, [
      { offset: 0, length: 1 << 18, kind: 'zero', depth: 0 },
      { offset: 1 << 18, length: 1 << 18, kind: 'data', depth: 0 },
      { offset: 1 << 19, length: 1 << 19, kind: 'zero', depth: 0 },
    ]);
  });

  it('is locked as QEMU locks it, unless told not to', async () => {
    const path = await newFile(65_536);
    await using disk = await openRawDisk(path, { writable: true });
    await assert.rejects(openRawDisk(path), { code: 'in-use' });
    await using unlocked = await openRawDisk(path, { lock: false });
    assert.equal(unlocked.size, 65_536);
    await disk.close();
    await using one = await openRawDisk(path);
    await using other = await openRawDisk(path);
    assert.equal(one.size, other.size);
  });

  it('takes an open file for its own', async () => {
    const file = await openFile(await newFile(512), { writable: true });
    const disk = await openRawDisk(file);
    await disk.write(Buffer.of(1), 0);
    await disk.close();
    assert.equal(file.closed, true);
  });

  it('closes the file when it cannot be locked', async () => {
    const path = await newFile(512);
    await using _holder = await openRawDisk(path, { writable: true });
    const file = await openFile(path);
    await assert.rejects(openRawDisk(file), { code: 'in-use' });
    assert.equal(file.closed, true);
  });

  it('refuses to write what was opened for reading', async () => {
    await using disk = await openRawDisk(await newFile(512));
    await assert.rejects(disk.write(Buffer.of(1), 0), (error) => CalveError.is(error));
  });

  it('tries no long read, and while synchronous reads are slow only what needs no device', async () => {
    let now = 0;
    let took = 0.01;
    const clock = () => (now += took);
    const file = await openFile(await newFile(1 << 20));
    const cached = [false, true];
    file.readCached = () => cached.shift() ?? false;
    await using disk = new RawDisk(file, new LatencyWatch({ clock, pause: 3 }));
    assert.equal(disk.tryRead(Buffer.alloc(128 * 1024), 0), true);
    assert.equal(disk.tryRead(Buffer.alloc(128 * 1024 + 1), 0), false);
    took = 5;
    assert.equal(disk.tryRead(Buffer.alloc(512), 0), true);
    took = 0.01;
    const after = [1, 2, 3, 4, 5].map(() => disk.tryRead(Buffer.alloc(512), 0));
    assert.deepEqual(after, [false, true, false, true, true]);
  });
});
