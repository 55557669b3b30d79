import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CompactBytes } from './compact-bytes.ts';

/** Bytes of long runs and of noise, at any alignment. */
const bytes = fc
  .array(
    fc.oneof(
      fc.tuple(fc.nat(255), fc.nat(3000)).map(([value, length]) => Buffer.alloc(length, value)),
      fc.uint8Array({ maxLength: 700 }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts));

test('any part of the bytes comes back', () => {
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat(), (all, a, b) => {
      const compact = new CompactBytes(all);
      assert.equal(compact.length, all.length);
      assert.ok(all.equals(compact.slice()));
      const [start, end] = [a % (all.length + 1), b % (all.length + 1)].sort((x, y) => x - y);
      assert.ok(all.subarray(start, end).equals(compact.slice(start, end)));
    }),
  );
});

test('they are a copy', () => {
  const noise = Buffer.from('abcdefgh'.repeat(100));
  const compact = new CompactBytes(noise);
  noise.fill(0);
  assert.ok(Buffer.from('abcdefgh'.repeat(100)).equals(compact.slice()));
});

test('long runs of one value take no memory', () => {
  assert.ok(new CompactBytes(Buffer.alloc(1 << 20, 7)).held < 16);
  const sparse = Buffer.alloc(1 << 20);
  sparse[70_000] = 1;
  assert.ok(new CompactBytes(sparse).held < 1024);
});
