import { ENTRY_SIZE, MAX_L1_BYTES } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import { entryOffset, isCopied } from '../table-entry.ts';
import { boundedSegments } from './bounded-segments.ts';
import type { CheckGeometry } from './check-geometry.ts';
import type { FindingKind } from './finding.ts';
import type { FindingLog } from './finding-log.ts';
import { hexEntry } from './hex-entry.ts';
import { hasReservedBits, leadsBetweenClusters, leadsToNothing } from './l1-entry.ts';
import type { L1Place } from './l1-place.ts';
import { L2List, type L2Origin, originPlace } from './l2-list.ts';
import { OffsetSet } from './offset-set.ts';
import { pieceBuffer, readPieces } from './read-pieces.ts';
import type { TablePlace, TableSegment } from './table-segments.ts';

/** More tables than the largest L1 table can lead to: only a hostile image, or one with terabytes of snapshots. */
const MAX_L2_TABLES = MAX_L1_BYTES / ENTRY_SIZE;
/** Of those, how many may lie where no table can be: only a hostile image has more of them. */
const MAX_STRAYS = 2 ** 20;

/**
 * Reads all L1 tables, twice: first to know where L2 tables lie, then to count the references to each. So the memory
 * that this takes goes by the number of tables, not of references.
 *
 * @param tables the active one first
 * @throws CalveError `out-of-range` when they are longer than 1 GiB, or lead to more L2 tables than any sound image
 *   has; `io`; the signal's reason
 */
export async function surveyL1Tables(
  file: ImageFile,
  tables: readonly L1Place[],
  geometry: CheckGeometry,
  log: FindingLog,
  signal: AbortSignal | undefined,
): Promise<L2List> {
  const segments = boundedSegments(tables, geometry.fileEnd);
  const offsets = new OffsetSet(Math.min(MAX_L2_TABLES, geometry.clusters + MAX_STRAYS));
  await eachEntry(file, segments, signal, (high, low, hostOffset, segment) => {
    judgeL1Entry(high, low, hostOffset, segment, geometry, log);
    const offset = entryOffset(high, low);
    if (offset !== 0) offsets.add(offset);
  });
  const list = new L2List(offsets.sorted(), geometry);
  await eachEntry(file, segments, signal, (high, low, hostOffset, segment) => {
    const offset = entryOffset(high, low);
    if (offset === 0) return;
    const active = segment.table.snapshot === undefined ? isCopied(high) : undefined;
    list.refer(offset, segment.times, active, originOf(hostOffset, segment));
  });
  return list;
}

/** Tells what is wrong with an L1 entry by itself. */
function judgeL1Entry(
  high: number,
  low: number,
  hostOffset: number,
  segment: TableSegment<L1Place>,
  geometry: CheckGeometry,
  log: FindingLog,
): void {
  const reserved = hasReservedBits(high, low);
  const nothing = leadsToNothing(high, low);
  const between = leadsBetweenClusters(low, geometry);
  if (!reserved && !nothing && !between) return;
  const tell = (kind: FindingKind, expected: string) => {
    log.add(kind, segment.times, () => {
      const place = originPlace(originOf(hostOffset, segment));
      return { ...place, hostOffset, structure: 'L1 table', expected, got: hexEntry(high, low) };
    });
  };
  if (reserved) tell('l1-reserved-bits', 'bits 0 to 8 and 56 to 62 clear');
  else if (nothing) tell('l2-table-nowhere', 'an L2 table, or nothing at all');
  if (between) tell('l2-table-unaligned', `an L2 table at a multiple of ${geometry.clusterSize}`);
}

/**
 * Calls `visit` with every entry that is not zero. Segments that follow each other are read together: overlapping tables
 * can be cut into as many as there are sectors.
 * @param segments in the order of the file
 */
async function eachEntry(
  file: ImageFile,
  segments: readonly TableSegment<L1Place>[],
  signal: AbortSignal | undefined,
  visit: (high: number, low: number, hostOffset: number, segment: TableSegment<L1Place>) => void,
): Promise<void> {
  const buffer = pieceBuffer();
  let index = 0;
  for (const run of runsOf(segments)) {
    for await (const { offset, bytes } of readPieces(file, run.offset, run.length, buffer)) {
      signal?.throwIfAborted();
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; at += ENTRY_SIZE) {
        const high = view.getUint32(at);
        const low = view.getUint32(at + 4);
        if (high === 0 && low === 0) continue;
        let segment = segments[index];
        while (segment && segment.offset + segment.length <= offset + at) segment = segments[++index];
        if (segment) visit(high, low, offset + at, segment);
      }
    }
  }
}

/** The ranges that segments cover without a gap. */
function* runsOf(segments: readonly TableSegment<L1Place>[]): Generator<TablePlace> {
  let run: TablePlace | undefined;
  for (const { offset, length } of segments) {
    if (run && run.offset + run.length === offset) {
      run = { offset: run.offset, length: run.length + length };
      continue;
    }
    if (run) yield run;
    run = { offset, length };
  }
  if (run) yield run;
}

function originOf(hostOffset: number, { table }: TableSegment<L1Place>): L2Origin {
  return { snapshot: table.snapshot, l1Index: (hostOffset - table.offset) / ENTRY_SIZE };
}
