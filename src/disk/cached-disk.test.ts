import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { CalveError } from '../errors/index.ts';
import { BlockCache } from './block-cache.ts';
import { cachedDisk } from './cached-disk.ts';
import { delayedDisk } from './delayed-disk.ts';
import type { FaultPlan } from './faulty-disk.ts';
import { faultyDisk } from './faulty-disk.ts';
import { MemoryDisk } from './memory-disk.ts';

diskContract('a cached disk', async (size) => cachedDisk(new MemoryDisk(size), { bytes: 200_000 }));
diskContract('a small cache of odd blocks before a slow disk', async (size) =>
  cachedDisk(
    delayedDisk(new MemoryDisk(size), () => undefined),
    { bytes: 20_000, blockSize: 3001 },
  ),
);

/** A cache of 4 KiB blocks before a disk that cannot be read at once, and the reads that come through. */
function cached(options: { size?: number; bytes?: number; plan?: FaultPlan } = {}) {
  const reads: [offset: number, length: number][] = [];
  const memory = new MemoryDisk(options.size ?? 1 << 20);
  const faulty = faultyDisk(memory, (operation) => {
    if (operation.kind === 'read') reads.push([operation.offset, operation.length]);
    return options.plan?.(operation);
  });
  const slow = delayedDisk(faulty, () => undefined);
  const disk = cachedDisk(slow, { bytes: options.bytes ?? 1 << 20, blockSize: 4096 });
  return { disk, memory, reads };
}

async function byteAt(disk: { read(into: Uint8Array, offset: number): Promise<void> }, offset: number) {
  const into = Buffer.alloc(1);
  await disk.read(into, offset);
  return into[0];
}

describe('cachedDisk', () => {
  it('reads a block once, and serves it at once from then on', async () => {
    const { disk, memory, reads } = cached();
    await memory.write(Buffer.alloc(8192, 7), 4096);
    const into = Buffer.alloc(100);
    assert.equal(disk.tryRead?.(into, 5000), false);
    await disk.read(into, 5000);
    assert.deepEqual(into, Buffer.alloc(100, 7));
    await disk.read(into, 4100);
    assert.equal(disk.tryRead?.(into.fill(0), 4096), true);
    assert.deepEqual(into, Buffer.alloc(100, 7));
    assert.equal(disk.tryRead?.(into, 8150), false, 'half of it is not kept');
    assert.deepEqual(reads, [[4096, 4096]]);
    await disk.close();
  });

  it('reads a block once for all who want it at the same time', async () => {
    const { disk, reads } = cached();
    await Promise.all(Array.from({ length: 10 }, (_, index) => disk.read(Buffer.alloc(5000), index)));
    assert.deepEqual(reads, [
      [0, 4096],
      [4096, 4096],
    ]);
    await disk.close();
  });

  it('lets the disk below serve at once what is not kept', async () => {
    await using disk = cachedDisk(new MemoryDisk(8192), { bytes: 0 });
    assert.equal(disk.tryRead?.(Buffer.alloc(1), 0), true);
  });

  it('keeps what was asked for last, and no more bytes than it may', async () => {
    const { disk, reads } = cached({ bytes: 3 * 4096 + 4095 });
    for (const block of [0, 1, 2, 0, 3]) await byteAt(disk, block * 4096);
    reads.length = 0;
    const kept = [0, 1, 2, 3].map((block) => disk.tryRead?.(Buffer.alloc(1), block * 4096));
    assert.deepEqual(kept, [true, false, true, true]);
    await byteAt(disk, 4096);
    assert.deepEqual(reads, [[4096, 4096]]);
    await disk.close();
  });

  it('has few reads under way for one long read', async () => {
    let [running, most] = [0, 0];
    const memory = new MemoryDisk(1 << 20);
    const count = async (into: Uint8Array, offset: number) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      await memory.read(into, offset);
      running -= 1;
    };
    const below = Object.assign(new MemoryDisk(1 << 20), { read: count });
    await using disk = cachedDisk(below, { bytes: 65_536, blockSize: 4096 });
    await disk.read(Buffer.alloc(1 << 20), 0);
    assert.ok(most > 1 && most <= 16, `${most}`);
  });

  it('follows what is written, zeroed and discarded through it, without reading again', async () => {
    const { disk, memory, reads } = cached();
    await disk.read(Buffer.alloc(65_536), 0);
    reads.length = 0;
    await disk.write(Buffer.alloc(6000, 5), 1000);
    await disk.writeZeroes?.(3000, 2000);
    const [found, expected] = [Buffer.alloc(8192), Buffer.alloc(8192)];
    assert.equal(disk.tryRead?.(found, 0), true);
    memory.tryRead(expected, 0);
    assert.ok(found.equals(expected) && expected.includes(5));
    assert.deepEqual(reads, []);
    await disk.discard?.(1000, 512);
    await disk.read(found, 0);
    memory.tryRead(expected, 0);
    assert.ok(found.equals(expected));
    await disk.close();
  });

  it('does not take a long zeroing block by block', async () => {
    const below = Object.assign(new MemoryDisk(2 ** 45), { writeZeroes: async () => undefined });
    await using disk = cachedDisk(below, { bytes: 8192, blockSize: 512 });
    await disk.read(Buffer.alloc(1024), 2 ** 44);
    await disk.writeZeroes?.(0, 2 ** 45);
    assert.equal(await byteAt(disk, 2 ** 44), 0);
  });

  it('forgets a range when changing it failed, since nobody knows what the disk holds', async () => {
    for (const verb of ['write', 'writeZeroes', 'discard'] as const) {
      const { disk, memory } = cached({
        plan: ({ kind, index }) => (kind === verb && index > 0 ? { code: 'io', torn: 10 } : undefined),
      });
      await memory.write(Buffer.alloc(4096, 1), 0);
      assert.equal(await byteAt(disk, 0), 1);
      if (verb === 'write') await assert.rejects(disk.write(Buffer.alloc(20, 2), 0), { code: 'io' });
      else await assert.rejects(async () => disk[verb]?.(0, 20), { code: 'io' });
      const [found, expected] = [Buffer.alloc(4096), Buffer.alloc(4096)];
      await disk.read(found, 0);
      memory.tryRead(expected, 0);
      assert.ok(found.equals(expected), verb);
      assert.notEqual(expected[0], 1);
      await disk.close();
    }
  });

  it('fails the reads that a failed read of a block serves, and reads it anew for the next', async () => {
    const { disk } = cached({ plan: ({ index }) => (index === 0 ? { code: 'io' } : undefined) });
    const results = await Promise.allSettled([byteAt(disk, 0), byteAt(disk, 1)]);
    for (const result of results) {
      assert.ok(result.status === 'rejected' && CalveError.is(result.reason, 'io'));
    }
    assert.equal(await byteAt(disk, 0), 0);
    await disk.close();
  });

  it('keeps up with its size', async () => {
    const { disk } = cached({ size: 10_000 });
    await disk.write(Buffer.alloc(10_000, 1), 0);
    await disk.read(Buffer.alloc(10_000), 0);
    await disk.resize?.(9000);
    assert.equal(disk.size, 9000);
    await disk.resize?.(20_000);
    const found = Buffer.alloc(20_000, 0xee);
    await disk.read(found, 0);
    assert.ok(found.equals(Buffer.alloc(20_000).fill(1, 0, 9000)));
    await disk.close();
  });

  it('refuses blocks of no size', () => {
    const disk = new MemoryDisk(512);
    assert.throws(() => cachedDisk(disk, { bytes: 1, blockSize: 0 }), { code: 'out-of-range' });
  });
});

describe('BlockCache', () => {
  it('never holds more than its limit, whatever the sizes', () => {
    const cache = new BlockCache(100);
    for (const [block, size] of [60, 40, 30, 100, 101, 1, 99, 0, 100].entries()) {
      cache.set(block % 4, new Uint8Array(size));
      assert.ok(cache.bytes <= 100);
      const held = cache.numbers().reduce((sum, number) => sum + (cache.peek(number)?.length ?? 0), 0);
      assert.equal(cache.bytes, held);
      assert.equal(cache.peek(block % 4)?.length, size <= 100 ? size : undefined);
    }
  });
});
