import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixed } from './fixed.ts';
import { humanSize } from './human-size.ts';

test('sizes have three digits, and what lies halfway goes to the even one', () => {
  const sizes = [0, 1, 999, 1000, 1023, 196_608, 459_264, 460_288, 1_023_488, 10 * 2 ** 30, 2 ** 63];
  assert.deepEqual(sizes.map(humanSize), [
    ...['0 B', '1 B', '999 B', '0.977 KiB', '0.999 KiB', '192 KiB', '448 KiB', '450 KiB', '1e+03 KiB'],
    ...['10 GiB', '8 EiB'],
  ]);
});

test('numbers of some places are rounded as C does', () => {
  const rounded = [3.125, 9.375, 0.005, 2.675, 100, 0].map((value) => fixed(value, 2));
  assert.deepEqual(rounded, ['3.12', '9.38', '0.01', '2.67', '100.00', '0.00']);
  assert.deepEqual(
    [0.5, 1.5, 2.5, 2.51].map((value) => fixed(value, 0)),
    ['0', '2', '2', '3'],
  );
});
