import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dataAndZeros } from './zero-runs.ts';

const UNIT = 512;

function runs(units: readonly number[], minZeros: number): string {
  const bytes = Buffer.concat(units.map((value) => Buffer.alloc(UNIT, value)));
  return [...dataAndZeros(bytes, minZeros)]
    .map(({ start, end, zero }) => `${zero ? 'zero' : 'data'} ${start / UNIT}-${end / UNIT}`)
    .join(', ');
}

test('zeros count in steps of what is wanted', () => {
  assert.equal(runs([], 512), '');
  assert.equal(runs([1, 0, 0, 2], 512), 'data 0-1, zero 1-3, data 3-4');
  assert.equal(runs([1, 0, 0, 2], 1024), 'data 0-4');
  assert.equal(runs([1, 2, 0, 0, 2, 3], 1024), 'data 0-2, zero 2-4, data 4-6');
  assert.equal(runs([0, 0, 0, 2], 1024), 'zero 0-2, data 2-4');
});

test('fewer zeros than are wanted are data, but at the end', () => {
  assert.equal(runs([1, 0, 0, 2, 0, 0, 0], 1536), 'data 0-4, zero 4-7');
  assert.equal(runs([1, 1, 1, 1, 0], 2048), 'data 0-4, zero 4-5');
});

test('with no zeros wanted all is data', () => {
  assert.equal(runs([0, 0, 1], 0), 'data 0-3');
});

test('whatever the bytes, the runs are they, and what is called zero is', () => {
  const units = fc.array(fc.constantFrom(0, 0, 1, 2), { maxLength: 60 });
  fc.assert(
    fc.property(units, fc.constantFrom(512, 1024, 1536, 4096), fc.nat(511), (values, minZeros, more) => {
      const bytes = Buffer.concat([
        ...values.map((value) => Buffer.alloc(UNIT, value)),
        Buffer.alloc(more, 9),
      ]);
      let at = 0;
      let before: boolean | undefined;
      for (const { start, end, zero } of dataAndZeros(bytes, minZeros)) {
        assert.equal(start, at);
        assert.ok(end > start);
        assert.notEqual(zero, before, 'neighbours differ');
        if (zero) assert.ok(bytes.subarray(start, end).every((byte) => byte === 0));
        [at, before] = [end, zero];
      }
      assert.equal(at, bytes.length);
    }),
  );
});
