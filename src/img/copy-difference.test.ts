import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Extent, MemoryDisk, type WritableDisk } from '../disk/index.ts';
import { copyDifference } from './copy-difference.ts';

const BLOCK = 4096;

async function* extentsFrom(list: readonly [offset: number, length: number, kind: Extent['kind']][]) {
  for (const [offset, length, kind] of list) yield { offset, length, kind, depth: 0 };
}

test('the target reads as the source afterwards, and was written only in blocks that differ', async () => {
  const size = 40 * BLOCK + 512;
  await using base = new MemoryDisk(30 * BLOCK + 100);
  await using source = new MemoryDisk(size);
  const bytes = Buffer.alloc(size);
  bytes.fill(1, 0, 30 * BLOCK + 100);
  await base.write(bytes.subarray(0, base.size), 0);
  bytes.fill(2, 2 * BLOCK + 10, 2 * BLOCK + 20);
  bytes.fill(0, 5 * BLOCK, 8 * BLOCK);
  bytes.fill(3, size - 7, size);
  await source.write(bytes, 0);
  await using target = new MemoryDisk(size);
  const there = Buffer.alloc(base.size);
  await base.read(there, 0);
  await target.write(there, 0);
  const written: number[] = [];
  const watched: WritableDisk = {
    size,
    read: (into, offset) => target.read(into, offset),
    write: async (from, offset) => {
      written.push(offset / BLOCK);
      await target.write(from, offset);
    },
    flush: () => target.flush(),
    close: () => target.close(),
    [Symbol.asyncDispose]: () => target.close(),
  };
  await copyDifference(source, base, watched, {
    blockSize: BLOCK,
    within: extentsFrom([
      [2 * BLOCK + 10, 10, 'data'],
      [2 * BLOCK + 15, 3 * BLOCK, 'data'],
      [5 * BLOCK, 3 * BLOCK, 'zero'],
      [32 * BLOCK, BLOCK, 'zero'],
      [size - 512, 512, 'data'],
    ]),
  });
  const result = Buffer.alloc(size);
  await target.read(result, 0);
  assert.ok(result.equals(bytes));
  assert.deepEqual(written, [2, 5, 6, 7, 40]);
});
