import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { estimateRoom, planRebuild } from './plan-rebuild.ts';

describe('planRebuild', () => {
  it('puts everything on free clusters behind the file, and counts all that is in use', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 0, max: 60 }),
        fc.constantFrom(4, 16, 64),
        fc.array(fc.integer({ min: 0, max: 460 }), { maxLength: 30 }),
        fc.func(fc.boolean()),
        (clusters, more, blockEntries, taken, usesBlock) => {
          const clusterSize = 32;
          const room = estimateRoom(clusters, blockEntries, clusterSize) + more;
          const isFree = (cluster: number) => !taken.includes(cluster);
          const plan = planRebuild({ clusters, room, clusterSize, blockEntries, usesBlock, isFree });
          if (!plan) {
            assert.ok(taken.some((cluster) => cluster >= clusters));
            return;
          }
          const table = Array.from({ length: plan.tableClusters }, (_, index) => plan.table + index);
          const blocks = [...plan.blocks].filter((cluster) => cluster !== 0);
          const places = [...table, ...blocks];
          assert.equal(new Set(places).size, places.length, 'two things in one place');
          for (const place of places)
            assert.ok(place >= clusters && place < clusters + room && isFree(place));
          assert.ok(plan.tableClusters * clusterSize >= plan.blocks.length * 8);
          for (const place of places) assert.ok(plan.blocks[Math.floor(place / blockEntries)], `${place}`);
          for (let cluster = 0; cluster < clusters; cluster += 1) {
            const index = Math.floor(cluster / blockEntries);
            if (usesBlock(index)) assert.ok(plan.blocks[index], `no block for ${cluster}`);
          }
        },
      ),
    );
  });

  it('finds room at once when nothing is in the way', () => {
    for (const [clusters, blockEntries, clusterSize] of [
      [1, 64, 512],
      [10_000, 64, 512],
      [1_000_000, 32_768, 65_536],
      [77, 2 ** 24, 2 ** 21],
    ] as const) {
      const room = estimateRoom(clusters, blockEntries, clusterSize);
      const all = { usesBlock: () => true, isFree: () => true };
      assert.ok(planRebuild({ clusters, room, clusterSize, blockEntries, ...all }));
    }
  });
});
