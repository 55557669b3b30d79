import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { boundedSegments } from './bounded-segments.ts';
import { tableSegments } from './table-segments.ts';

const tables = fc.array(fc.record({ offset: fc.nat({ max: 40 }), length: fc.nat({ max: 12 }) }), {
  maxLength: 12,
});

describe('tableSegments', () => {
  it('covers each byte once, with how many tables it lies in and the first of them', () => {
    fc.assert(
      fc.property(tables, (list) => {
        const found = new Map<number, [number, number]>();
        for (const { offset, length, table, times } of tableSegments(list)) {
          for (let at = offset; at < offset + length; at += 1) {
            assert.ok(!found.has(at), `${at} comes twice`);
            found.set(at, [times, list.indexOf(table)]);
          }
        }
        for (let at = 0; at < 60; at += 1) {
          const around = list.filter(({ offset, length }) => at >= offset && at < offset + length);
          const expected = around[0] && [around.length, list.indexOf(around[0])];
          assert.deepEqual(found.get(at), expected, `${at}`);
        }
      }),
    );
  });

  it('is done at once with 65,536 tables that all overlap', () => {
    const list = Array.from({ length: 65_536 }, (_, index) => ({ offset: index, length: 2 ** 25 }));
    const started = performance.now();
    const segments = tableSegments(list.reverse());
    assert.equal(segments.length, 2 * 65_536 - 1);
    assert.equal(Math.max(...segments.slice(0, 65_536).map(({ times }) => times)), 65_536);
    assert.ok(performance.now() - started < 2000);
  });
});

describe('boundedSegments', () => {
  it('ends with the last whole entry in the file', () => {
    const cut = (fileEnd: number) =>
      boundedSegments([{ offset: 64, length: 64 }], fileEnd).map((one) => one.length);
    assert.deepEqual(cut(1000), [64]);
    assert.deepEqual(cut(127), [56]);
    assert.deepEqual(cut(71), []);
    assert.deepEqual(cut(10), []);
  });

  it('refuses more than a gigabyte of tables, and takes any number of them on one place', () => {
    const one = { offset: 0, length: 2 ** 25 };
    assert.equal(boundedSegments(Array(1000).fill(one), 2 ** 40).length, 1);
    const many = Array.from({ length: 33 }, (_, index) => ({ offset: index * 2 ** 25, length: 2 ** 25 }));
    assert.throws(() => boundedSegments(many, 2 ** 40), { code: 'out-of-range' });
    assert.equal(boundedSegments(many, 2 ** 20).length, 1);
  });
});
