import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { concatenatedDisk } from './concatenated-disk.ts';
import type { Disk } from './disk.ts';
import { MemoryDisk } from './memory-disk.ts';

diskContract('three disks one behind the other', async (size) =>
  concatenatedDisk([
    new MemoryDisk(70_001),
    new MemoryDisk(0),
    new MemoryDisk(1),
    new MemoryDisk(size - 70_002),
  ]),
);

describe('concatenatedDisk', () => {
  it('parts reads, writes and extents at the borders', async () => {
    const [first, second] = [new MemoryDisk(65_536), new MemoryDisk(2 * 65_536)];
    const disk = concatenatedDisk([first, second]);
    await disk.write(Buffer.alloc(1000, 7), 65_536 - 400);
    const found = Buffer.alloc(600);
    await second.read(found, 0);
    assert.ok(found.equals(Buffer.alloc(600, 7)));
    assert.deepEqual(await Array.fromAsync(disk.extents?.(65_536 - 512, 512 + 2 * 65_536) ?? []), [
      { offset: 65_536 - 512, length: 512, kind: 'data', depth: 0 },
      { offset: 65_536, length: 65_536, kind: 'data', depth: 0 },
      { offset: 2 * 65_536, length: 65_536, kind: 'unallocated', depth: 0 },
    ]);
    await disk.close();
    await assert.rejects(first.read(found, 0), { code: 'closed' });
    await assert.rejects(second.read(found, 0), { code: 'closed' });
  });

  it('cannot be written where one of them cannot', async () => {
    const { size, read, close } = sealed();
    await using disk = concatenatedDisk([
      { size, read, close, [Symbol.asyncDispose]: close },
      new MemoryDisk(512),
    ]);
    assert.equal(disk.size, 1024);
    assert.ok(!('write' in disk));
  });

  it('of no disks is empty', async () => {
    await using disk = concatenatedDisk<Disk>([]);
    assert.equal(disk.size, 0);
  });
});

function sealed() {
  const disk = new MemoryDisk(512);
  return {
    size: disk.size,
    read: (into: Uint8Array, offset: number) => disk.read(into, offset),
    close: () => disk.close(),
  };
}
