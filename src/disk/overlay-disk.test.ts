import assert from 'node:assert/strict';
import { copyFile, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { faultyDisk, MemoryDisk, openRawDisk, overlayDisk, type WritableDisk } from './index.ts';

diskContract('an overlay', async (size) => overlayDisk(new MemoryDisk(size)));
diskContract('an overlay of odd small blocks', async (size) =>
  overlayDisk(new MemoryDisk(size), { blockSize: 1001 }),
);
diskContract('an overlay on a top that held something', async (size) => {
  const top = new MemoryDisk(size + 5000);
  await top.write(Buffer.alloc(size, 0xdd), 0);
  return overlayDisk(new MemoryDisk(size), { top, blockSize: 4096 });
});

/** A disk of ones that keeps the ranges of its reads and writes. */
async function watched(size: number, value: number) {
  const disk = new MemoryDisk(size);
  await disk.write(Buffer.alloc(size, value), 0);
  const ranges: [kind: string, offset: number, length: number][] = [];
  const watching = faultyDisk(disk, ({ kind, offset, length }) => {
    ranges.push([kind, offset, length]);
    return undefined;
  });
  return { disk: watching, ranges };
}

async function contents(disk: WritableDisk): Promise<Buffer> {
  const all = Buffer.alloc(disk.size);
  await disk.read(all, 0);
  return all;
}

describe('overlayDisk', () => {
  it('shows the base, with the changes over it, and never writes the base', async () => {
    const base = await watched(10_000, 1);
    await using disk = overlayDisk(base.disk, { blockSize: 4096 });
    await disk.write(Buffer.alloc(100, 2), 4050);
    await disk.writeZeroes(5000, 4500);
    await disk.discard(9990, 10);
    const expected = Buffer.alloc(10_000, 1).fill(2, 4050, 4150).fill(0, 5000, 9500).fill(0, 9990);
    assert.ok((await contents(disk)).equals(expected));
    const now = Buffer.alloc(10_000);
    assert.equal(disk.tryRead(now, 0), true);
    assert.ok(now.equals(expected));
    assert.deepEqual(
      base.ranges.filter(([kind]) => kind !== 'read'),
      [],
    );
  });

  it('takes over from the base only what a write leaves missing of a block, and once', async () => {
    const base = await watched(10_000, 1);
    const top = await watched(10_000, 9);
    await using disk = overlayDisk(base.disk, { blockSize: 4096, top: top.disk });
    await disk.write(Buffer.alloc(5000, 2), 1000);
    assert.deepEqual(base.ranges.splice(0), [
      ['read', 0, 1000],
      ['read', 6000, 2192],
    ]);
    await disk.write(Buffer.alloc(5000, 3), 500);
    await disk.write(Buffer.alloc(10_000 - 8192, 4), 8192);
    assert.deepEqual(base.ranges, []);
    assert.deepEqual(
      top.ranges.filter(([kind]) => kind === 'read'),
      [],
    );
    const expected = Buffer.alloc(10_000, 1).fill(2, 1000, 6000).fill(3, 500, 5500).fill(4, 8192);
    assert.ok((await contents(disk)).equals(expected));
  });

  it('keeps no bytes of blocks that are zeroed whole, the short last one too', async () => {
    const base = await watched(10_000, 1);
    const top = await watched(10_000, 9);
    await using disk = overlayDisk(base.disk, { blockSize: 4096, top: top.disk });
    await disk.writeZeroes(4096, 10_000 - 4096);
    await disk.writeZeroes(5000, 100);
    assert.deepEqual([...base.ranges, ...top.ranges], []);
    await disk.write(Buffer.alloc(4096, 2), 4096);
    top.ranges.length = 0;
    await disk.discard(4096, 4096);
    assert.deepEqual(top.ranges, [['discard', 4096, 4096]]);
    await disk.write(Buffer.of(5), 5000);
    const expected = Buffer.alloc(10_000).fill(1, 0, 4096).fill(5, 5000, 5001);
    assert.ok((await contents(disk)).equals(expected), 'what the top held before does not come back');
  });

  it('keeps the space of its own blocks that are zeroed without unmap', async () => {
    await using disk = overlayDisk(new MemoryDisk(3 * 4096), { blockSize: 4096 });
    await disk.write(Buffer.alloc(4096, 1), 0);
    await disk.writeZeroes(0, 2 * 4096, { unmap: false });
    const kinds = await Array.fromAsync(disk.extents(0, disk.size), ({ kind, depth }) => [kind, depth]);
    assert.deepEqual(kinds, [
      ['data', 0],
      ['zero', 0],
      ['unallocated', 1],
    ]);
    assert.ok((await contents(disk)).equals(Buffer.alloc(3 * 4096)));
  });

  it("counts depth from itself down: 0 its own, the base's depth plus one below", async () => {
    const bottom = new MemoryDisk(4 * 65_536);
    await bottom.write(Buffer.of(1), 0);
    const middle = overlayDisk(bottom);
    await middle.write(Buffer.of(1), 65_536);
    await using disk = overlayDisk(middle);
    await disk.write(Buffer.of(1), 2 * 65_536);
    await disk.writeZeroes(3 * 65_536, 65_536);
    const extents = await Array.fromAsync(disk.extents(100, 4 * 65_536 - 200));
    assert.deepEqual(extents, [
      { offset: 100, length: 65_436, kind: 'data', depth: 2 },
      { offset: 65_536, length: 65_536, kind: 'data', depth: 1 },
      { offset: 131_072, length: 65_536, kind: 'data', depth: 0 },
      { offset: 196_608, length: 65_436, kind: 'zero', depth: 0 },
    ]);
  });

  it('still shows the base after a write failed on the way', async () => {
    for (const failing of [0, 1, 2]) {
      const base = await watched(8192, 1);
      const top = faultyDisk(new MemoryDisk(8192), ({ kind, index }) =>
        kind === 'write' && index === failing ? { code: 'no-space', torn: 100 } : undefined,
      );
      await using disk = overlayDisk(base.disk, { blockSize: 8192, top });
      await assert.rejects(disk.write(Buffer.alloc(512, 2), 1024), { code: 'no-space' });
      assert.ok((await contents(disk)).equals(Buffer.alloc(8192, 1)), `top's write ${failing} failed`);
      await disk.write(Buffer.alloc(512, 3), 2048);
      assert.ok((await contents(disk)).equals(Buffer.alloc(8192, 1).fill(3, 2048, 2560)));
    }
  });

  it('may be far larger than memory, and be looked over soon', async () => {
    await using disk = overlayDisk({
      size: 2 ** 50,
      read: async (into) => void into.fill(0),
      close: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    });
    await disk.write(Buffer.from('end'), 2 ** 50 - 3);
    const extents = await Array.fromAsync(disk.extents(0, 2 ** 50), ({ length, depth }) => [length, depth]);
    assert.deepEqual(extents, [
      [2 ** 50 - 65_536, 1],
      [65_536, 0],
    ]);
  });

  it('closes base and top, or leaves both and flushes the top', async () => {
    const closed = (disk: WritableDisk) =>
      disk.read(Buffer.alloc(1), 0).then(
        () => false,
        () => true,
      );
    const [base, top] = [await watched(512, 1), await watched(512, 1)];
    const left = overlayDisk(base.disk, { top: top.disk, leaveOpen: true });
    await left.write(Buffer.of(1), 0);
    await left.close();
    assert.deepEqual(top.ranges.at(-1), ['flush', 0, 0]);
    assert.deepEqual([await closed(base.disk), await closed(top.disk)], [false, false]);
    const taken = overlayDisk(base.disk, { top: top.disk });
    await Promise.all([taken.close(), taken.close()]);
    assert.deepEqual([await closed(base.disk), await closed(top.disk)], [true, true]);
  });

  it('refuses a top that is smaller than the base, and blocks of no size', () => {
    const base = new MemoryDisk(1024);
    assert.throws(() => overlayDisk(base, { top: new MemoryDisk(1023) }), { code: 'out-of-range' });
    for (const blockSize of [0, -1, 0.5, Number.NaN]) {
      assert.throws(() => overlayDisk(base, { blockSize }), { code: 'out-of-range' });
    }
  });

  it('reads as QEMU writes to a copy of the base', async () => {
    await using folder = await temporaryFolder();
    const [base, copy, flat] = [folder.join('base'), folder.join('copy'), folder.join('flat')];
    await writeFile(base, Buffer.alloc(300_032, 0x5a));
    await copyFile(base, copy);
    await qemuIo(copy, ['write -P 7 1000 70000', 'write -z 65536 131072', 'write -P 9 100001 5'], 'raw');
    await writeFile(flat, '');
    await truncate(flat, 300_032);
    {
      await using disk = overlayDisk(await openRawDisk(base));
      await disk.write(Buffer.alloc(70_000, 7), 1000);
      await disk.writeZeroes(65_536, 131_072);
      await disk.write(Buffer.alloc(5, 9), 100_001);
      await writeFile(flat, await contents(disk));
    }
    await qemuImgCompare(flat, 'raw', copy, 'raw');
  });
});
