import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { delayedDisk } from './delayed-disk.ts';
import type { Disk } from './disk.ts';
import { DiskFile } from './disk-file.ts';
import { faultyDisk } from './faulty-disk.ts';
import { MemoryDisk } from './memory-disk.ts';
import { recordingDisk } from './recording-disk.ts';
import { sliceDisk } from './slice-disk.ts';

describe('DiskFile', () => {
  it('reads as a file does: fewer bytes at its end, none past it', async () => {
    const memory = new MemoryDisk(1000);
    await memory.write(Buffer.alloc(1000, 1), 0);
    await using file = new DiskFile(memory, 'x');
    for (const read of [
      (into: Uint8Array, at: number) => file.read(into, at),
      async (into: Uint8Array, at: number) => file.readSync(into, at),
    ]) {
      const into = Buffer.alloc(100, 9);
      assert.equal(await read(into, 950), 50);
      assert.deepEqual(into, Buffer.alloc(100, 9).fill(1, 0, 50));
      assert.equal(await read(into, 1000), 0);
      assert.equal(await read(into, 1050), 0);
      await assert.rejects(read(into, -1), { code: 'out-of-range' });
    }
  });

  it('grows by writes past its end, which read zeros before them, whatever their order', async () => {
    const slow = delayedDisk(new MemoryDisk(10), ({ kind }) => (kind === 'resize' ? 1 : undefined));
    await using file = new DiskFile(slow, 'x');
    await Promise.all([
      file.write(Buffer.of(1), 299),
      file.write(Buffer.of(2), 99),
      file.write(Buffer.of(3), 199),
      file.write(Buffer.of(), 1000),
    ]);
    assert.equal(file.stat().size, 300);
    const all = Buffer.alloc(300);
    assert.equal(await file.read(all, 0), 300);
    assert.ok(all.equals(Buffer.alloc(300).fill(1, 299).fill(2, 99, 100).fill(3, 199, 200)));
    await file.truncate(100);
    assert.equal(file.stat().size, 100);
  });

  it('shows a recorder growth before the write that needed it, holes, and syncs', async () => {
    const disk = recordingDisk(new MemoryDisk(0));
    await using file = new DiskFile(disk, 'x');
    await file.write(Buffer.alloc(1024), 0);
    await file.write(Buffer.alloc(512), 512);
    assert.equal(file.punchHole(512, 9999), true);
    await file.write(Buffer.alloc(1), 512);
    assert.equal(file.punchHole(0, 512), true);
    await file.datasync();
    assert.equal(file.punchHole(5000, 512), true);
    assert.equal(file.punchHole(0, 100), true);
    await file.close();
    assert.deepEqual(
      disk.log.operations.map(({ kind, offset, length }) => [kind, offset, length]),
      [
        ['resize', 0, 1024],
        ['write', 0, 1024],
        ['write', 512, 512],
        ['discard', 512, 512],
        ['write', 512, 1],
        ['discard', 0, 512],
        ['flush', 0, 0],
        ['discard', 0, 100],
      ],
    );
    const [flush] = disk.log.operations.slice(6);
    assert.ok(disk.log.operations.slice(0, 6).every(({ ended }) => ended < (flush?.begun ?? 0)));
  });

  it('reads zeros where a hole was punched before', async () => {
    await using file = new DiskFile(new MemoryDisk(0), 'x');
    await file.write(Buffer.alloc(100, 1), 0);
    file.punchHole(0, 50);
    const into = Buffer.alloc(100);
    await file.read(into, 0);
    assert.ok(into.equals(Buffer.alloc(100).fill(1, 50)));
  });

  it('tells of a hole that failed when it syncs, once', async () => {
    const failing = faultyDisk(new MemoryDisk(512), ({ kind }) =>
      kind === 'discard' ? { code: 'io' } : undefined,
    );
    await using file = new DiskFile(failing, 'x');
    assert.equal(file.punchHole(0, 512), true);
    await file.write(Buffer.of(1), 0);
    await assert.rejects(file.datasync(), { code: 'io' });
    await file.datasync();
  });

  it('says what its disk cannot do', async () => {
    const slow = new DiskFile(delayedDisk(new MemoryDisk(512), 0), 'slow');
    assert.throws(() => slow.readSync(Buffer.alloc(1), 0), { code: 'unsupported' });
    const fixed = new DiskFile(sliceDisk(new MemoryDisk(1024), 0, 512), 'fixed');
    await assert.rejects(fixed.write(Buffer.alloc(2), 511), {
      code: 'unsupported',
      message: 'cannot resize fixed from 512 to 513 bytes: its disk keeps its size',
    });
    const { size, read, close, [Symbol.asyncDispose]: dispose }: Disk = new MemoryDisk(512);
    const reading = new DiskFile({ size, read, close, [Symbol.asyncDispose]: dispose }, 'reading');
    assert.equal(reading.writable, false);
    await assert.rejects(reading.write(Buffer.of(1), 0), { code: 'denied' });
    assert.throws(() => reading.punchHole(0, 1), { code: 'denied' });
  });

  it('closes its disk', async () => {
    const memory = new MemoryDisk(512);
    await new DiskFile(memory, 'x').close();
    await assert.rejects(memory.read(Buffer.alloc(1), 0), { code: 'closed' });
  });
});
