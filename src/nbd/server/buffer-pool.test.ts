import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBuffer, takeBuffer } from './buffer-pool.ts';

test('a buffer that was given back is used again, once', () => {
  const first = takeBuffer(100_000);
  const second = takeBuffer(100_000);
  assert.notEqual(first.buffer, second.buffer);
  giveBuffer(first.subarray(5, 9));
  giveBuffer(first);
  const third = takeBuffer(70_000);
  assert.equal(third.buffer, first.buffer);
  assert.equal(third.length, 70_000);
  assert.notEqual(takeBuffer(100_000).buffer, first.buffer, 'given back twice, it must not be two');
});

test('what comes from elsewhere is never used again', () => {
  // As long as one of ours: Node.js cuts its small buffers from such, and so may a disk.
  const shared = Buffer.allocUnsafeSlow(131_072);
  const small = Buffer.from('small');
  giveBuffer(shared);
  giveBuffer(small);
  for (let count = 0; count < 50; count += 1) {
    for (const length of [17_000, 65_536, 131_072]) {
      const { buffer } = takeBuffer(length);
      assert.ok(buffer !== shared.buffer && buffer !== small.buffer);
    }
  }
});
