import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { refused } from '../../../test/support/refused.ts';
import { planRefcounts, type RefcountNeeds } from './plan-refcounts.ts';

/** Needs of a file of which these clusters are in use. */
function needsOf(inUse: ReadonlySet<number>, clusterSize: number, bits: number): RefcountNeeds {
  const blockEntries = (clusterSize * 8) / bits;
  const used = [...new Set([...inUse].map((cluster) => Math.floor(cluster / blockEntries)))];
  return {
    path: 'image',
    clusterSize,
    blockEntries,
    used: used.sort((a, b) => a - b),
    findFree: async (from, atMost) => {
      let first = from;
      while (inUse.has(first)) first += 1;
      let count = 1;
      while (count < atMost && !inUse.has(first + count)) count += 1;
      return { first, count };
    },
  };
}

const clusters = fc.array(fc.nat(30_000), { maxLength: 300 });
const runs = fc.array(fc.tuple(fc.nat(20_000), fc.nat(400)), { maxLength: 5 });

describe('the plan of new refcounts', () => {
  it('trap 25: counts every cluster in use and its own, in clusters that were free', async () => {
    const property = fc.asyncProperty(
      clusters,
      runs,
      fc.constantFrom(1, 8, 64),
      async (single, many, bits) => {
        const inUse = new Set([0, ...single]);
        for (const [first, count] of many) for (let at = 0; at < count; at += 1) inUse.add(first + at);
        const needs = needsOf(inUse, 512, bits);
        const { table, tableClusters, blocks } = await planRefcounts(needs);
        const own = [...blocks.values(), ...Array.from({ length: tableClusters }, (_, at) => table + at)];
        assert.equal(new Set(own).size, own.length);
        for (const cluster of own) assert.ok(!inUse.has(cluster));
        for (const cluster of [...inUse, ...own]) {
          assert.ok(blocks.has(Math.floor(cluster / needs.blockEntries)));
        }
        const numbers = [...blocks.keys()];
        assert.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        );
        assert.ok((numbers.at(-1) ?? 0) < (tableClusters * 512) / 8);
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });

  it('trap 8: a table past QEMU’s limit is refused', async () => {
    const needs = { ...needsOf(new Set([0]), 512, 64), used: [0, 2 ** 20] };
    await refused(planRefcounts(needs), 'out-of-range', /8388608 bytes/);
  });
});
