import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Extent, MemoryDisk } from '../disk/index.ts';
import { type BlockDifference, differences, type Range, rangesAbove, unionOfRanges } from './index.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(items);
}

async function* stream(ranges: readonly Range[]): AsyncGenerator<Range> {
  yield* ranges;
}

test('differences are told apart as added, removed and changed, neighbours merged', async () => {
  const a = new MemoryDisk(1 << 20);
  const b = new MemoryDisk(1 << 20);
  await a.write(randomBytes(8192), 4096);
  await b.write(randomBytes(8192), 8192);
  await b.write(Uint8Array.of(1), 65_000);
  assert.deepEqual(await all(differences(a, b)), [
    { offset: 4096, length: 4096, kind: 'removed' },
    { offset: 8192, length: 4096, kind: 'changed' },
    { offset: 12_288, length: 4096, kind: 'added' },
    { offset: 61_440, length: 4096, kind: 'added' },
  ] satisfies BlockDifference[]);
});

test('past its end the shorter disk reads zeros, and the last block may be short', async () => {
  const a = new MemoryDisk(5000);
  const b = new MemoryDisk(9000);
  await b.write(Uint8Array.of(7), 8999);
  assert.deepEqual(await all(differences(a, b)), [{ offset: 8192, length: 808, kind: 'added' }]);
  assert.deepEqual(await all(differences(b, a)), [{ offset: 8192, length: 808, kind: 'removed' }]);
});

test('random disks: exactly the blocks that differ are named, with and without `within`', async () => {
  const block = 512;
  const blocks = fc.array(fc.constantFrom(0, 1, 2), { minLength: 0, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(blocks, blocks, async (left, right) => {
      const [a, b] = [await diskOf(left, block), await diskOf(right, block)];
      const truth = new Set<number>();
      for (let i = 0; i < Math.max(left.length, right.length); i++) {
        if ((left[i] ?? 0) !== (right[i] ?? 0)) truth.add(i);
      }
      const candidates = [...truth].map((i) => ({ offset: i * block + 100, length: 200 }));
      for (const within of [undefined, stream(candidates)]) {
        const options = within === undefined ? { blockSize: block } : { blockSize: block, within };
        const named = new Set<number>();
        for await (const { offset, length } of differences(a, b, options)) {
          for (let at = offset; at < offset + length; at += block) {
            assert.ok(!named.has(at / block), 'no block is named twice');
            named.add(at / block);
          }
        }
        assert.deepEqual(named, truth);
      }
    }),
  );
});

async function diskOf(values: readonly number[], block: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk(values.length * block);
  for (const [at, value] of values.entries()) await disk.write(Buffer.alloc(block, value), at * block);
  return disk;
}

test('the union of two runs of ranges is theirs byte by byte', async () => {
  const ranges = fc
    .array(fc.tuple(fc.nat(10), fc.integer({ min: 1, max: 10 })), { maxLength: 8 })
    .map((steps) => {
      let at = 0;
      return steps.map(([gap, length]) => {
        const range = { offset: at + gap, length };
        at += gap + length;
        return range;
      });
    });
  const bytes = (list: readonly Range[]) =>
    new Set(list.flatMap(({ offset, length }) => Array.from({ length }, (_, i) => offset + i)));
  await fc.assert(
    fc.asyncProperty(ranges, ranges, async (a, b) => {
      const union = await all(unionOfRanges(stream(a), stream(b)));
      assert.deepEqual(
        [...bytes(union)],
        [...new Set([...bytes(a), ...bytes(b)])].sort((x, y) => x - y),
      );
      assert.equal(
        bytes(union).size,
        union.reduce((sum, { length }) => sum + length, 0),
      );
    }),
  );
});

test('only what layers above the shared ones decide is a candidate', async () => {
  const disk = new MemoryDisk(4096);
  const extents: Extent[] = [
    { offset: 0, length: 512, kind: 'data', depth: 0 },
    { offset: 512, length: 512, kind: 'zero', depth: 1 },
    { offset: 1024, length: 1024, kind: 'data', depth: 2 },
    { offset: 2048, length: 1024, kind: 'data', depth: 1 },
    { offset: 3072, length: 1024, kind: 'unallocated', depth: 3 },
  ];
  disk.extents = async function* () {
    yield* extents;
  };
  assert.deepEqual(await all(rangesAbove(disk, 2)), [
    { offset: 0, length: 1024 },
    { offset: 2048, length: 1024 },
  ]);
});
