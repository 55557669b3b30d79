import { readPieces } from './read-pieces.ts';
import { readTables } from './read-tables.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import type { Survey } from './survey.ts';
import { isPlausibleL2, isWritable, type Writing } from './trusted-tables.ts';

/** A part of a table that may be written to, in memory. Valid until the next is asked for. */
export interface WritablePart {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Those L1 tables of the image that lie in the window, in parts. Flags are those of the active disk. */
export async function* writableL1(
  survey: Survey,
  counts: ReferenceCounts,
  writing: Writing,
): AsyncGenerator<WritablePart> {
  for (const table of survey.l1Tables) {
    if (table.length === 0 || (writing === 'flags' && table.snapshot !== undefined)) continue;
    if (!isWritable(counts, survey.geometry, 'L1 table', table, writing)) continue;
    for await (const { offset, bytes } of readPieces(survey.file, table.offset, table.length)) {
      yield { offset, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    }
  }
}

/** Those L2 tables of the image that lie in the window, and look like L2 tables. Flags are those of the active disk. */
export async function* writableL2(
  survey: Survey,
  counts: ReferenceCounts,
  writing: Writing,
): AsyncGenerator<WritablePart> {
  const { file, geometry, l2 } = survey;
  const length = geometry.clusterSize;
  const offsets = l2.offsets.filter((offset, index) => {
    if (writing === 'flags' && l2.activeTimes(index) === 0) return false;
    return isWritable(counts, geometry, 'L2 table', { offset, length }, writing);
  });
  for await (const run of readTables(file, offsets, length)) {
    for (let index = run.first; index < run.first + run.count; index += 1) {
      const offset = offsets[index] ?? 0;
      const bytes = run.bytes.subarray(offset - run.offset, offset - run.offset + length);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (isPlausibleL2(view, geometry)) yield { offset, bytes, view };
    }
  }
}
