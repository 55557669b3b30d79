import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OffsetSet } from './offset-set.ts';

describe('OffsetSet', () => {
  it('gives back each offset once, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 3000 }), { maxLength: 9000 }), (offsets) => {
        const set = new OffsetSet(10_000);
        for (const offset of offsets) set.add(offset);
        assert.deepEqual(
          [...set.sorted()],
          [...new Set(offsets)].sort((a, b) => a - b),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('takes any number of repetitions, and refuses too many different offsets', () => {
    const set = new OffsetSet(10_000);
    for (let turn = 0; turn < 1_000_000; turn += 1) set.add(turn % 9000);
    assert.equal(set.sorted().length, 9000);
    assert.throws(
      () => {
        for (let offset = 0; offset < 50_000; offset += 1) set.add(offset);
      },
      { code: 'out-of-range' },
    );
  });
});
