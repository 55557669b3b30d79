import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BoundedCache, CacheBudget } from './bounded-cache.ts';

describe('a cache', () => {
  it('keeps what was asked for lately, within its bytes', () => {
    const budget = new CacheBudget(40);
    const cache = new BoundedCache<string>(budget, 10);
    for (const key of [1, 2, 3, 4]) cache.set(key, `v${key}`);
    cache.set(5, 'v5');
    assert.equal(budget.used, 40);
    assert.equal(cache.get(1), undefined);
    assert.equal(cache.get(2), 'v2');
    cache.set(6, 'v6');
    assert.equal(cache.get(3), undefined);
    assert.equal(cache.get(2), 'v2');
  });

  it('shares its bytes with others of the same budget, evenly among old and new', () => {
    const budget = new CacheBudget(100);
    const [small, large] = [new BoundedCache<number>(budget, 10), new BoundedCache<number>(budget, 50)];
    for (let key = 0; key < 10; key += 1) small.set(key, key);
    large.set(1, 1);
    large.set(2, 2);
    assert.equal(budget.used, 100);
    assert.equal([...Array(10).keys()].filter((key) => small.get(key) !== undefined).length, 0);
    large.clear();
    assert.equal(budget.used, 0);
  });

  it('never lets go of what is pinned, and goes back under its limit afterwards', () => {
    const budget = new CacheBudget(20);
    const cache = new BoundedCache<number>(budget, 10);
    for (const key of [1, 2, 3]) {
      cache.set(key, key);
      cache.pin(key, key);
    }
    assert.equal(budget.used, 30);
    assert.deepEqual(
      [1, 2, 3].map((key) => cache.get(key)),
      [1, 2, 3],
    );
    for (const key of [1, 2, 3]) cache.unpin(key);
    cache.set(4, 4);
    assert.equal(budget.used, 20);
    assert.equal(cache.get(4), 4);
  });

  it('pins a value whose turn to go came just before', () => {
    const cache = new BoundedCache<object>(new CacheBudget(10), 10);
    const value = {};
    cache.set(1, value);
    cache.set(2, {});
    assert.equal(cache.get(1), undefined);
    cache.pin(1, value);
    cache.set(3, {});
    assert.equal(cache.get(1), value);
  });
});
