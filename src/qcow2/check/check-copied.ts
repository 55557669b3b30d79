import { entryOffset, isCopied } from '../table-entry.ts';
import { hexEntry } from './hex-entry.ts';
import { ownedBy } from './l2-entry.ts';
import { originPlace } from './l2-list.ts';
import { readOnes } from './read-ones.ts';
import { readTables, tableIn } from './read-tables.ts';
import type { Survey } from './survey.ts';
import { windowsOf } from './windows.ts';

/**
 * Tells of every COPIED flag of the active disk that does not say whether the refcount, as it is stored, is exactly
 * one (trap 26). A second look at all tables, taken when the first has shown that there is something to tell.
 */
export async function checkCopied(
  survey: Survey,
  memory: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { geometry } = survey;
  // To the end of the last refcount block: entries that point behind the file are compared with it too.
  const end = Math.ceil((geometry.clusters + 1) / geometry.blockEntries) * geometry.blockEntries;
  for (const window of windowsOf(end, memory, 1 / 8)) {
    const ones = await readOnes(survey, window);
    // What lies further on counts as having a refcount of 0, and is told in the last window.
    const isHere = (cluster: number) => ones.covers(cluster) || (cluster >= end && window.end === end);
    const isWrong = (cluster: number, copied: boolean) =>
      isHere(cluster) && copied !== ones.has(cluster) && survey.blocks.knows(cluster);
    checkL2Tables(survey, isWrong);
    if (!geometry.dataFile) await checkData(survey, isWrong, signal);
  }
}

/** Whether a COPIED flag is wrong for a cluster. */
type IsWrong = (cluster: number, copied: boolean) => boolean;

const expectedOf = (copied: boolean): string => (copied ? 'a refcount of 1, or no COPIED' : 'COPIED');

function checkL2Tables({ geometry, l2, log }: Survey, isWrong: IsWrong): void {
  l2.offsets.forEach((offset, index) => {
    const cluster = Math.floor(offset / geometry.clusterSize);
    for (const copied of [true, false]) {
      const times = (copied ? l2.copied[index] : l2.notCopied[index]) ?? 0;
      if (times === 0 || !isWrong(cluster, copied)) continue;
      log.add('copied-wrong', times, () => ({
        ...originPlace(l2.origin(index)),
        hostOffset: offset,
        structure: 'L2 table',
        expected: expectedOf(copied),
        got: copied ? 'COPIED' : 'none',
      }));
    }
  });
}

async function checkData(survey: Survey, isWrong: IsWrong, signal: AbortSignal | undefined): Promise<void> {
  const { file, geometry, l2, log, blocks } = survey;
  const { clusterSize, entryBytes, tableEntries } = geometry;
  for await (const run of readTables(file, l2.followedOffsets, clusterSize)) {
    signal?.throwIfAborted();
    for (let place = run.first; place < run.first + run.count; place += 1) {
      const index = l2.followed[place] ?? 0;
      const times = l2.activeTimes(index);
      // QEMU looks at no table whose own refcount it cannot read.
      if (times === 0 || !blocks.knows((l2.offsets[index] ?? 0) / clusterSize)) continue;
      const view = tableIn(run, l2.offsets[index] ?? 0, clusterSize);
      for (let at = 0; at < clusterSize; at += entryBytes) {
        const high = view.getUint32(at);
        const low = view.getUint32(at + 4);
        if (ownedBy(high, low, geometry) !== 'cluster') continue;
        const copied = isCopied(high);
        if (!isWrong(Math.floor(entryOffset(high, low) / clusterSize), copied)) continue;
        const origin = l2.origin(index);
        log.add('copied-wrong', times, () => ({
          ...originPlace(origin),
          l2Index: at / entryBytes,
          guestOffset: (origin.l1Index * tableEntries + at / entryBytes) * clusterSize,
          hostOffset: entryOffset(high, low),
          structure: 'data',
          expected: expectedOf(copied),
          got: hexEntry(high, low),
        }));
      }
    }
  }
}
