import type { CheckGeometry } from './check-geometry.ts';
import { isL2EntryBad } from './mend-entry.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import { isOnly, STRUCTURES } from './structure.ts';
import type { TablePlace } from './table-segments.ts';

/** So many bad entries are put down to damage in any table. */
const FEW = 8;

/** What is written into tables: whole entries, or their COPIED flags alone. */
export type Writing = 'entries' | 'flags';

/**
 * Whether a range of the file, all of it in the window, may be written to as the structure that it is referred to as.
 * It lies in the file, and nothing else lies there. For flags it is enough that nothing but data is said to lie there
 * too: they belong to the table in any case, and while they are wrong, data is written over.
 */
export function isWritable(
  counts: ReferenceCounts,
  geometry: CheckGeometry,
  structure: 'L1 table' | 'L2 table',
  { offset, length }: TablePlace,
  writing: Writing,
): boolean {
  if (offset % geometry.clusterSize !== 0 || offset >= geometry.fileEnd) return false;
  const allowed = writing === 'flags' ? STRUCTURES.data : 0;
  const last = Math.floor((offset + length - 1) / geometry.clusterSize);
  for (let cluster = offset / geometry.clusterSize; cluster <= last; cluster += 1) {
    if (!isOnly(counts.bits(cluster), structure, allowed)) return false;
  }
  return true;
}

/**
 * Whether the bytes of an L2 table look like one. Where a damaged L1 entry leads to guest data, nearly everything is
 * wrong with the entries, and to mend them would be to destroy the data.
 */
export function isPlausibleL2(table: DataView, geometry: CheckGeometry): boolean {
  let bad = 0;
  let good = 0;
  for (let at = 0; at < geometry.clusterSize; at += geometry.entryBytes) {
    if (table.getUint32(at) === 0 && table.getUint32(at + 4) === 0) continue;
    if (isL2EntryBad(table, at, geometry)) bad += 1;
    else good += 1;
  }
  return bad <= FEW || bad <= good;
}
