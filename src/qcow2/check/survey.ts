import { ENTRY_SIZE } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { readHeader } from '../read-header.ts';
import { type CheckGeometry, checkGeometryOf } from './check-geometry.ts';
import { encryptionHeader } from './encryption-header.ts';
import { FindingLog } from './finding-log.ts';
import type { L1Place } from './l1-place.ts';
import type { L2List } from './l2-list.ts';
import { type BitmapTable, readBitmaps } from './read-bitmaps.ts';
import { readSnapshots } from './read-snapshots.ts';
import { type RefcountBlocks, readRefcountBlocks } from './refcount-blocks.ts';
import { type PlacedStructure, type StructureRange, structureRanges } from './structure-ranges.ts';
import { surveyL1Tables } from './survey-l1.ts';

/** What is known of an image before its clusters are counted: where everything lies that leads to clusters. */
export interface Survey {
  readonly file: ImageFile;
  readonly header: Qcow2Header;
  readonly geometry: CheckGeometry;
  readonly log: FindingLog;
  /** The active L1 table first. */
  readonly l1Tables: readonly L1Place[];
  readonly l2: L2List;
  readonly bitmapTables: readonly BitmapTable[];
  readonly blocks: RefcountBlocks;
  /** The clusters of all structures but L2 tables, data, the clusters of bitmaps, and refcount blocks. */
  readonly ranges: readonly StructureRange[];
}

/** How the image is surveyed. */
export interface SurveyOptions {
  readonly maxFindings: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads what leads to clusters, and no cluster yet. What is wrong with it goes to the log.
 * @throws CalveError `invalid` or `unsupported` for the header; `out-of-range` for a file or tables past all measure;
 *   `io`; the signal's reason
 */
export async function surveyImage(file: ImageFile, options: SurveyOptions): Promise<Survey> {
  const header = await readHeader({ path: file.path, read: (into, offset) => readShort(file, into, offset) });
  const geometry = checkGeometryOf(header, file.end);
  const log = new FindingLog(options.maxFindings);
  const snapshots = await readSnapshots(file, header, geometry, log);
  const bitmaps = await readBitmaps(file, header, log);
  const active = { offset: header.l1Offset, length: header.l1Size * ENTRY_SIZE, snapshot: undefined };
  const l1Tables = [active, ...snapshots.l1Tables];
  const placed: PlacedStructure[] = [
    { structure: 'header', offset: 0, length: header.clusterSize },
    ...l1Tables.map(({ snapshot, ...place }) => ({
      structure: 'L1 table' as const,
      ...place,
      ...(snapshot === undefined ? {} : { snapshot }),
    })),
    { structure: 'snapshot table', offset: header.snapshotsOffset, length: snapshots.tableLength },
    {
      structure: 'refcount table',
      offset: header.refcountTableOffset,
      length: header.refcountTableClusters * header.clusterSize,
    },
    ...encryptionHeader(header, log),
  ];
  if (bitmaps) {
    placed.push({ structure: 'bitmap', ...bitmaps.directory });
    for (const table of bitmaps.tables) placed.push({ structure: 'bitmap', ...table });
  }
  return {
    file,
    header,
    geometry,
    log,
    l1Tables,
    l2: await surveyL1Tables(file, l1Tables, geometry, log, options.signal),
    bitmapTables: bitmaps?.tables ?? [],
    blocks: await readRefcountBlocks(file, header, geometry, log),
    ranges: structureRanges(placed, geometry, log),
  };
}

/** As a file reads, which ends where it ends: a header cut short must not be filled up with zeros. */
async function readShort(file: ImageFile, into: Uint8Array, offset: number): Promise<number> {
  const length = Math.max(0, Math.min(into.length, file.end - offset));
  await file.read(into.subarray(0, length), offset);
  return length;
}
