import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { MemoryDisk } from './memory-disk.ts';
import { sliceDisk } from './slice-disk.ts';

diskContract('a slice of a larger disk', async (size) =>
  sliceDisk(new MemoryDisk(size + 200_000), 70_001, size),
);

describe('sliceDisk', () => {
  it('shows its window of the disk, and changes nothing else', async () => {
    const disk = new MemoryDisk(4096);
    await disk.write(Buffer.alloc(4096, 1), 0);
    await using slice = sliceDisk(disk, 1000, 100, { leaveOpen: true });
    await slice.write(Buffer.alloc(50, 2), 0);
    await slice.writeZeroes?.(50, 25);
    await slice.discard?.(75, 25);
    const found = Buffer.alloc(4096);
    await disk.read(found, 0);
    const expected = Buffer.alloc(4096, 1).fill(2, 1000, 1050).fill(0, 1050, 1100);
    assert.ok(found.equals(expected));
  });

  it('counts extents from its own start', async () => {
    const disk = new MemoryDisk(4 * 65_536);
    await disk.write(Buffer.of(1), 2 * 65_536);
    await using slice = sliceDisk(disk, 65_536 + 512, 2 * 65_536);
    assert.deepEqual(await Array.fromAsync(slice.extents?.(512, 2 * 65_536 - 512) ?? []), [
      { offset: 512, length: 65_536 - 1024, kind: 'unallocated', depth: 0 },
      { offset: 65_536 - 512, length: 65_536, kind: 'data', depth: 0 },
      { offset: 2 * 65_536 - 512, length: 512, kind: 'unallocated', depth: 0 },
    ]);
  });

  it('refuses what would reach beyond it, though the disk goes on there', async () => {
    await using slice = sliceDisk(new MemoryDisk(4096), 1000, 100);
    assert.equal(slice.size, 100);
    await assert.rejects(slice.read(Buffer.alloc(2), 99), { code: 'out-of-range' });
    await assert.rejects(slice.write(Buffer.alloc(1), -1), { code: 'out-of-range' });
  });

  it('lies in the disk', () => {
    const disk = new MemoryDisk(4096);
    for (const [offset, length] of [
      [4000, 97],
      [-1, 1],
      [0, 4097],
      [0.5, 1],
    ] as const) {
      assert.throws(
        () => sliceDisk(disk, offset, length),
        { code: 'out-of-range' },
        `${length} at ${offset}`,
      );
    }
    assert.equal(sliceDisk(disk, 4096, 0).size, 0);
  });
});
