import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_L1_BYTES, MAX_SNAPSHOT_EXTRA, MAX_SNAPSHOT_TABLE_BYTES } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import {
  decodeSnapshotEntry,
  decodeSnapshotFields,
  entryLength,
  FIXED_BYTES,
  paddedLength,
  type SnapshotEntry,
  type SnapshotFields,
  sizesOf,
} from './snapshot-entry.ts';

/** Bytes of the table that are read at once. */
const PIECE = 64 * 1024;

/**
 * Reads the snapshot table, section "Snapshots".
 * @throws CalveError `corrupt` for an entry that cannot be right; `io`
 */
export async function readSnapshotTable(file: ImageFile, header: Qcow2Header): Promise<SnapshotEntry[]> {
  const { snapshotCount, snapshotsOffset } = header;
  const entries: SnapshotEntry[] = [];
  let piece: { at: number; bytes: Uint8Array } = { at: 0, bytes: new Uint8Array() };
  const bytesAt = async (what: string, at: number, length: number): Promise<Uint8Array> => {
    if (at < piece.at || at + length > piece.at + piece.bytes.length) {
      const wanted = Math.max(length, Math.min(PIECE, file.end - at));
      piece = { at, bytes: await file.readStructure(what, at, wanted) };
    }
    return piece.bytes.subarray(at - piece.at, at - piece.at + length);
  };
  let at = snapshotsOffset;
  for (let index = 0; index < snapshotCount; index += 1) {
    const what = `snapshot ${index}`;
    const fields = decodeSnapshotFields(await bytesAt(what, at, FIXED_BYTES));
    validateFields(fields, what, file, header);
    const length = entryLength(fields);
    const bytes = await bytesAt(what, at, length);
    validateSizes(fields, bytes, what, file);
    entries.push(decodeSnapshotEntry(fields, bytes));
    at += paddedLength(length);
    const used = at - snapshotsOffset;
    if (used > MAX_SNAPSHOT_TABLE_BYTES) {
      throw corrupt(file, `${what}, end`, `at most ${MAX_SNAPSHOT_TABLE_BYTES}`, used);
    }
  }
  return entries;
}

/** Every check of an entry's fixed part, ahead of any use of it (trap 8). */
function validateFields(
  { l1Offset, l1Size, extraLength }: SnapshotFields,
  what: string,
  file: ImageFile,
  { clusterSize }: Qcow2Header,
): void {
  const check = (holds: boolean, field: string, expected: string, got: number | bigint) => {
    if (!holds) throw corrupt(file, `${what}, ${field}`, expected, got);
  };
  const l1Bytes = l1Size * ENTRY_SIZE;
  check(l1Bytes <= MAX_L1_BYTES, 'l1_size', `at most ${MAX_L1_BYTES / ENTRY_SIZE}`, l1Size);
  // A table without entries lies nowhere.
  const rightPlace =
    l1Size === 0 ||
    (l1Offset > 0n &&
      l1Offset % BigInt(clusterSize) === 0n &&
      l1Offset + BigInt(l1Bytes) <= BigInt(file.end));
  check(rightPlace, 'l1_table_offset', `a multiple of ${clusterSize} inside the file`, l1Offset);
  check(extraLength <= MAX_SNAPSHOT_EXTRA, 'extra_data_size', `at most ${MAX_SNAPSHOT_EXTRA}`, extraLength);
}

/** The sizes in an entry's extra data. */
function validateSizes(fields: SnapshotFields, bytes: Uint8Array, what: string, file: ImageFile): void {
  const { vmStateSize, diskSize = 0n } = sizesOf(fields, bytes);
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  if (vmStateSize > most) throw corrupt(file, `${what}, vm_state_size`, 'at most 2^53 - 1', vmStateSize);
  if (diskSize > most) throw corrupt(file, `${what}, disk size`, 'at most 2^53 - 1', diskSize);
}

function corrupt(file: ImageFile, what: string, expected: string, got: number | bigint): CalveError {
  return new CalveError('corrupt', `${file.path}: ${what}: expected ${expected}, got ${got}`, {
    hint: `qemu-img check -r all ${file.path}`,
    data: { path: file.path },
  });
}
