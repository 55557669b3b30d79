import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { CalveError } from '../errors/index.ts';
import { checkRange } from './check-range.ts';
import type { WritableDisk } from './disk.ts';
import { extentsOf } from './extents-of.ts';
import { MemoryDisk } from './memory-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/** A disk with the required members alone. */
function plainDisk(size: number): WritableDisk {
  const disk = new MemoryDisk(size);
  return {
    size,
    read: (into, offset) => disk.read(into, offset),
    write: (from, offset) => disk.write(from, offset),
    flush: () => disk.flush(),
    close: () => disk.close(),
    [Symbol.asyncDispose]: () => disk.close(),
  };
}

diskContract('a disk of required members', async (size) => plainDisk(size));

describe('extentsOf', () => {
  it('takes a disk that cannot tell for one extent of data', async () => {
    const extents = await Array.fromAsync(extentsOf(plainDisk(4096), 512, 1024));
    assert.deepEqual(extents, [{ offset: 512, length: 1024, kind: 'data', depth: 0 }]);
    assert.deepEqual(await Array.fromAsync(extentsOf(plainDisk(4096), 4096, 0)), []);
    assert.throws(() => extentsOf(plainDisk(4096), 4096, 1), { code: 'out-of-range' });
  });
});

describe('writeZeroesTo', () => {
  it('writes zeros, a bounded number at a time, where the disk has no way of its own', async () => {
    const disk = plainDisk(1 << 20);
    const lengths: number[] = [];
    const write = disk.write.bind(disk);
    disk.write = (from, offset) => {
      lengths.push(from.length);
      return write(from, offset);
    };
    await disk.write(Buffer.alloc(1 << 20, 1), 0);
    await writeZeroesTo(disk, 1, (1 << 20) - 2);
    assert.ok(Math.max(...lengths.slice(1)) <= 256 * 1024);
    const found = Buffer.alloc(1 << 20);
    await disk.read(found, 0);
    assert.deepEqual([found[0], found.at(-1)], [1, 1]);
    assert.ok(found.subarray(1, -1).every((byte) => byte === 0));
  });

  it('leaves it to the disk where the disk can, options and all', async () => {
    const calls: unknown[] = [];
    const disk: WritableDisk = {
      ...plainDisk(4096),
      writeZeroes: async (...args) => void calls.push(args),
    };
    await writeZeroesTo(disk, 512, 512, { unmap: false });
    assert.deepEqual(calls, [[512, 512, { unmap: false }]]);
    await assert.rejects(writeZeroesTo(disk, 4000, 512), { code: 'out-of-range' });
  });
});

describe('checkRange', () => {
  it('names the range, and the size that it should lie in', () => {
    assert.throws(
      () => checkRange({ size: 4096 }, 4000, 512),
      (error) => {
        assert.ok(CalveError.is(error, 'out-of-range'));
        assert.equal(error.message, "expected a range inside the disk's 4096 bytes, got 512 bytes at 4000");
        assert.deepEqual(error.data, { offset: 4000, length: 512, size: 4096 });
        return true;
      },
    );
  });

  it('does not lose a byte at the top of what a number can count', () => {
    checkRange({ size: Number.MAX_SAFE_INTEGER }, Number.MAX_SAFE_INTEGER, 0);
    checkRange({ size: Number.MAX_SAFE_INTEGER }, Number.MAX_SAFE_INTEGER - 1, 1);
    assert.throws(() => checkRange({ size: Number.MAX_SAFE_INTEGER }, Number.MAX_SAFE_INTEGER, 1));
    assert.throws(() => checkRange({ size: 10 }, 2, Number.MAX_SAFE_INTEGER));
  });
});
