import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ReplyBatch } from './reply-batch.ts';

const SMALL_MEMORY = { bytes: 64 * 1024 };

test('a reply that is longer than the empty buffer that is there gets another one', async () => {
  const socket = new PassThrough({ highWaterMark: 1 << 20 });
  const batch = new ReplyBatch(socket, undefined, SMALL_MEMORY, () => {});
  const expected: Buffer[] = [];
  const put = (length: number, value: number): void => {
    const at = batch.place(length);
    batch.buffer.fill(value, at, at + length);
    expected.push(Buffer.alloc(length, value));
  };
  put(100, 1);
  // What is in the buffer moves out, and the buffer stays.
  batch.add(Buffer.alloc(10, 2));
  expected.push(Buffer.alloc(10, 2));
  put(200_000, 3);
  batch.place(50);
  batch.takeBack(50);
  put(60, 4);
  batch.flush();
  await batch.drained();
  assert.ok(Buffer.concat(expected).equals(socket.read()));
});
