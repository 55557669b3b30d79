import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Coverage } from './coverage.ts';

it('parts are taken once each, in any order, and make up the whole', () => {
  const part = fc.tuple(fc.nat(31), fc.integer({ min: 1, max: 8 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const coverage = new Coverage();
      const there = new Set<number>();
      for (const [start, length] of parts) {
        const bytes = Array.from({ length }, (_, at) => start + at);
        const isNew = bytes.every((byte) => !there.has(byte));
        assert.equal(coverage.add(start, start + length), isNew);
        if (isNew) for (const byte of bytes) there.add(byte);
      }
      const [first, last] = [Math.min(...there), Math.max(...there)];
      assert.equal(coverage.isWhole(first, last + 1), there.size > 0 && there.size === last + 1 - first);
      assert.ok(!coverage.isWhole(first, last + 2));
    }),
  );
});
