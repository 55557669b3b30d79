import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_L1_BYTES, MAX_SNAPSHOT_EXTRA, MAX_SNAPSHOT_TABLE_BYTES } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { HostRange } from './refcount-table.ts';

/** Where the structures of the internal snapshots lie. */
export interface SnapshotPlaces {
  readonly table: HostRange | undefined;
  readonly l1Tables: readonly HostRange[];
}

/** Section "Snapshots": the fixed part of an entry. */
const FIXED = 40;

/**
 * Reads of the snapshot table what says where things lie.
 * @throws CalveError `corrupt` for an entry that cannot be right; `io`
 */
export async function readSnapshotPlaces(file: ImageFile, header: Qcow2Header): Promise<SnapshotPlaces> {
  const { snapshotCount, snapshotsOffset, clusterSize } = header;
  const l1Tables: HostRange[] = [];
  let at = snapshotsOffset;
  for (let index = 0; index < snapshotCount; index += 1) {
    const what = `snapshot ${index}`;
    const bytes = await file.readStructure(what, at, FIXED);
    const view = new DataView(bytes.buffer);
    const l1Offset = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
    const l1Bytes = view.getUint32(8) * ENTRY_SIZE;
    const extra = view.getUint32(36);
    const rightPlace = l1Offset % clusterSize === 0 && l1Offset > 0 && l1Offset <= file.end - l1Bytes;
    const check = (holds: boolean, field: string, expected: string, got: number) => {
      if (!holds) throw corrupt(file, `${what}, ${field}`, expected, got);
    };
    check(l1Bytes <= MAX_L1_BYTES, 'l1_size', `at most ${MAX_L1_BYTES / ENTRY_SIZE}`, l1Bytes / ENTRY_SIZE);
    check(rightPlace, 'l1_table_offset', `a multiple of ${clusterSize} inside the file`, l1Offset);
    check(extra <= MAX_SNAPSHOT_EXTRA, 'extra_data_size', `at most ${MAX_SNAPSHOT_EXTRA}`, extra);
    if (l1Bytes > 0) l1Tables.push({ offset: l1Offset, length: l1Bytes });
    const length = FIXED + extra + view.getUint16(12) + view.getUint16(14);
    at += Math.ceil(length / 8) * 8;
    const used = at - snapshotsOffset;
    check(used <= MAX_SNAPSHOT_TABLE_BYTES, 'end', `at most ${MAX_SNAPSHOT_TABLE_BYTES}`, used);
  }
  const length = at - snapshotsOffset;
  return { table: length > 0 ? { offset: snapshotsOffset, length } : undefined, l1Tables };
}

function corrupt(file: ImageFile, what: string, expected: string, got: number): CalveError {
  return new CalveError('corrupt', `${file.path}: ${what}: expected ${expected}, got ${got}`, {
    hint: `qemu-img check -r all ${file.path}`,
  });
}
