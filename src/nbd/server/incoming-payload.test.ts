import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyRequest } from '../protocol/request.ts';
import { IncomingPayload } from './incoming-payload.ts';

test('a payload is put together of what the stream brings and what is taken past it, to the byte', () => {
  const payload = Buffer.from(Array.from({ length: 10_000 }, (_, at) => (at * 31) % 256));
  const behind = Buffer.alloc(100, 0xee);
  const sent = Buffer.concat([payload, behind]);
  for (const [pieceLength, step] of [
    [10_000, 3000],
    [4096, 1],
    [4096, 4096],
    [100, 7777],
    [1 << 20, 20_000],
  ] as const) {
    const incoming = new IncomingPayload(emptyRequest(), payload.length, pieceLength, undefined);
    const written = Buffer.alloc(payload.length);
    const use = (piece: Buffer, distance: number): void => {
      assert.ok(piece.length <= pieceLength);
      piece.copy(written, distance);
    };
    let at = 0;
    for (let turn = 0; !incoming.isWhole; turn += 1) {
      if (turn % 2 === 0) {
        at += incoming.take(sent.subarray(at, at + step), 0, use);
        continue;
      }
      at += incoming.receive((into) => sent.copy(into, 0, at, at + Math.min(step, into.length)), use);
      // Nothing has come.
      assert.equal(incoming.isWhole || incoming.receive(() => 0, use) === 0, true);
    }
    assert.equal(at, payload.length);
    assert.ok(written.equals(payload), `pieces of ${pieceLength}, ${step} at a time`);
  }
});
