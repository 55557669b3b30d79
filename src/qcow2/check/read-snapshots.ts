import { ENTRY_SIZE, MAX_L1_BYTES, MAX_SNAPSHOT_EXTRA, MAX_SNAPSHOT_TABLE_BYTES } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { CheckGeometry } from './check-geometry.ts';
import type { FindingLog } from './finding-log.ts';
import type { L1Place } from './l1-place.ts';
import { readBytes } from './read-pieces.ts';

/** Section "Snapshot table entry": the part that every entry has. */
const FIXED = 40;
/** Version 3: extra data of the size of the VM state and of the disk at least. */
const LEAST_EXTRA = 16;

/** The part of a snapshot table entry that says where things lie. */
interface SnapshotEntry {
  readonly l1Offset: number;
  /** Whether `l1Offset` is a multiple of the cluster size: exact, where the number may not be. */
  readonly l1Aligned: boolean;
  /** Bytes of its L1 table. */
  readonly l1Length: number;
  readonly extraLength: number;
  /** Bytes of the whole entry, padding included. */
  readonly length: number;
}

/** What the snapshot table says, as far as it can be read. */
export interface Snapshots {
  /** Bytes of the table. */
  readonly tableLength: number;
  /** Those of the snapshots whose tables can be followed. */
  readonly l1Tables: readonly L1Place[];
}

/** Takes the first 40 bytes of an entry apart. */
function decodeSnapshotEntry(bytes: Uint8Array, clusterSize: number): SnapshotEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const extraLength = view.getUint32(36);
  const length = FIXED + extraLength + view.getUint16(12) + view.getUint16(14);
  return {
    l1Offset: view.getUint32(0) * 2 ** 32 + view.getUint32(4),
    l1Aligned: view.getUint32(4) % clusterSize === 0,
    l1Length: view.getUint32(8) * ENTRY_SIZE,
    extraLength,
    length: Math.ceil(length / 8) * 8,
  };
}

/**
 * Reads the snapshot table. An entry that leads astray is told, and not followed; one that makes the rest of the table
 * unreadable ends the reading.
 */
export async function readSnapshots(
  file: ImageFile,
  header: Qcow2Header,
  geometry: CheckGeometry,
  log: FindingLog,
): Promise<Snapshots> {
  const { snapshotCount, snapshotsOffset, clusterSize, version } = header;
  const l1Tables: L1Place[] = [];
  if (geometry.dataFile) {
    log.add('snapshots-with-data-file', snapshotCount > 0 ? 1 : 0, () => ({
      expected: 'no snapshots in an image with a data file',
      got: `${snapshotCount}`,
    }));
  }
  let at = snapshotsOffset;
  for (let snapshot = 0; snapshot < snapshotCount; snapshot += 1) {
    const entry = decodeSnapshotEntry(await readBytes(file, at, FIXED), clusterSize);
    const place = { snapshot, hostOffset: at, structure: 'snapshot table' as const };
    const { l1Offset, l1Length, extraLength } = entry;
    const end = at - snapshotsOffset + entry.length;
    if (extraLength > MAX_SNAPSHOT_EXTRA || end > MAX_SNAPSHOT_TABLE_BYTES) {
      log.add('snapshot-table-unreadable', 1, () => ({
        ...place,
        expected: `at most ${MAX_SNAPSHOT_EXTRA} bytes of extra data, ${MAX_SNAPSHOT_TABLE_BYTES} in all`,
        got: `${extraLength}, ${end} in all`,
      }));
      break;
    }
    if (version >= 3 && extraLength < LEAST_EXTRA) {
      log.add('snapshot-incomplete', 1, () => ({
        ...place,
        expected: `at least ${LEAST_EXTRA} bytes of extra data`,
        got: `${extraLength}`,
      }));
    }
    at += entry.length;
    if (!entry.l1Aligned) {
      const expected = `an L1 table at a multiple of ${clusterSize}`;
      log.add('snapshot-l1-unaligned', 1, () => ({ ...place, expected, got: `${l1Offset}` }));
    } else if (l1Length > MAX_L1_BYTES) {
      const expected = `an L1 table of at most ${MAX_L1_BYTES} bytes`;
      log.add('snapshot-l1-too-large', 1, () => ({ ...place, expected, got: `${l1Length}` }));
    } else if (l1Length > 0) {
      l1Tables.push({ offset: l1Offset, length: l1Length, snapshot });
    }
  }
  return { tableLength: at - snapshotsOffset, l1Tables };
}
