import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distinctNames } from './distinct-names.ts';

test('each item has the plainest name that no other wants, too', () => {
  const items = ['a/x', 'b/x', 'y', 'c/y', 'z'];
  const names = distinctNames(items, (item) => [item.slice(-1), item]);
  assert.deepEqual([...names.values()].sort(), ['a/x', 'b/x', 'c/y', 'y', 'z']);
});

test('where all names are wanted twice, numbers tell items apart, and no name is given twice', () => {
  const items = [{ n: 'x' }, { n: 'x' }, { n: 'x-2' }, { n: 'x' }];
  const names = distinctNames(items, ({ n }) => [n]);
  assert.deepEqual(
    items.map((item) => names.get(item)),
    ['x-3', 'x-4', 'x-2', 'x-5'],
  );
});
