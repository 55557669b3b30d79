import { ENTRY_SIZE } from '../constants.ts';
import { ChangedSectors } from './changed-sectors.ts';
import type { CountedWindows } from './counted-windows.ts';
import type { FindingKind } from './finding.ts';
import { mendL1Entry, mendL2Entry } from './mend-entry.ts';
import type { Survey } from './survey.ts';
import { type WritablePart, writableL1, writableL2 } from './writable-tables.ts';

/** What mending entries can help against. */
export const MENDED_IN_TABLES: readonly FindingKind[] = [
  'l1-reserved-bits',
  'l2-table-nowhere',
  'l2-table-unaligned',
  'l2-reserved-bits',
  'cluster-unaligned',
  'compressed-copied',
  'compressed-subclusters',
  'subclusters-contradict',
  'subclusters-nowhere',
  'past-end',
];

/**
 * Mends the entries of L1 and L2 tables that cannot be right, and makes that durable. Each entry changes on its own and
 * only to lead to less, so that after a crash between two writes some entries are mended and others not yet.
 * @returns how many entries were mended
 */
export async function mendTables(survey: Survey, windows: CountedWindows): Promise<number> {
  const { file, geometry } = survey;
  let mended = 0;
  const mend = async (
    part: WritablePart,
    step: number,
    mendEntry: typeof mendL1Entry | typeof mendL2Entry,
  ): Promise<void> => {
    const changed = new ChangedSectors();
    for (let at = 0; at < part.bytes.length; at += step) {
      if (!mendEntry(part.view, at, geometry)) continue;
      changed.add(at);
      mended += 1;
    }
    await changed.write(file, part.bytes, part.offset);
  };
  for await (const counts of windows) {
    for await (const part of writableL1(survey, counts, 'entries')) await mend(part, ENTRY_SIZE, mendL1Entry);
    for await (const part of writableL2(survey, counts, 'entries')) {
      await mend(part, geometry.entryBytes, mendL2Entry);
    }
  }
  if (mended > 0) await file.barrier();
  return mended;
}
