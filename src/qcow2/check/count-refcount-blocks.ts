import { ENTRY_SIZE } from '../constants.ts';
import { maxRefcount } from '../refcount-entry.ts';
import type { ReferenceCounter } from './reference-counter.ts';
import { STRUCTURES } from './structure.ts';
import type { Survey } from './survey.ts';

/** Counts refcount blocks, after everything else: none may lie where there is something already. */
export function addRefcountBlocks(survey: Survey, counter: ReferenceCounter): void {
  const { blocks, geometry, log, header } = survey;
  const most = maxRefcount(geometry.refcountBits);
  blocks.offsets.forEach((offset, index) => {
    if (blocks.state(index) !== 'sound') return;
    const cluster = offset / geometry.clusterSize;
    const { counts } = counter;
    if (cluster < counts.first || cluster >= counts.end) return;
    counts.add(cluster, STRUCTURES['refcount block'], 1);
    const count = counts.count(cluster);
    if (Math.min(count, most) === 1) return;
    log.add('refcount-block-shared', 1, () => ({
      hostOffset: header.refcountTableOffset + index * ENTRY_SIZE,
      structure: 'refcount table',
      expected: `a refcount block alone at ${offset}`,
      got: `${count} references`,
    }));
  });
}
