import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { maxRefcount, readRefcount, writeRefcount } from './refcount-entry.ts';

describe('a refcount', () => {
  for (const bits of [1, 2, 4, 8, 16, 32, 64]) {
    it(`of ${bits} bits changes no neighbour`, () => {
      const entries = 1024 / bits;
      const block = new DataView(new ArrayBuffer(128));
      const model = new Array<number>(entries).fill(0);
      const count = fc.integer({ min: 0, max: maxRefcount(bits) });
      fc.assert(
        fc.property(fc.nat({ max: entries - 1 }), count, (index, value) => {
          writeRefcount(block, index, bits, value);
          model[index] = value;
          assert.deepEqual(
            model.map((_, at) => readRefcount(block, at, bits)),
            model,
          );
        }),
      );
    });
  }

  it('trap 29: under a byte counts from the least significant bit', () => {
    const block = new DataView(Uint8Array.of(0b0000_0010, 0b1110_0100).buffer);
    assert.deepEqual(
      [0, 1, 2].map((index) => readRefcount(block, index, 1)),
      [0, 1, 0],
    );
    assert.deepEqual(
      [4, 5, 6, 7].map((index) => readRefcount(block, index, 2)),
      [0, 1, 2, 3],
    );
    assert.deepEqual(
      [2, 3].map((index) => readRefcount(block, index, 4)),
      [4, 14],
    );
  });

  it('above 2^53 is neither free nor anybody’s alone', () => {
    const block = new DataView(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 1).buffer);
    assert.ok(readRefcount(block, 0, 64) > 1);
  });
});
