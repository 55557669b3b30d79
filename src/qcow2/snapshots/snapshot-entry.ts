import { type CoderType, struct, U16BE, U32BE, U64BE } from 'micro-packed';
import { ENTRY_SIZE } from '../constants.ts';
import type { HostRange } from '../writing/refcount-table.ts';
import type { Snapshot } from './snapshot.ts';

/** What is written of a new snapshot as it was said. */
export interface SnapshotLabels {
  readonly id: string;
  readonly name: string;
  readonly date: Date;
  readonly icount: bigint | undefined;
}

/** One entry of the snapshot table. */
export interface SnapshotEntry extends Omit<Snapshot, 'diskSize'> {
  /** Undefined in entries of version 2 that were made before there was a place for it. */
  readonly diskSize: number | undefined;
  /** Its L1 table. */
  readonly l1: HostRange;
  /** The entry as it lies in the table, padding included: what nobody knows is kept byte for byte (trap 31). */
  readonly bytes: Uint8Array;
}

/** Section "Snapshot table entry": the part that every entry has. Nothing about it has been checked. */
export interface SnapshotFields {
  l1Offset: bigint;
  l1Size: number;
  idLength: number;
  nameLength: number;
  seconds: number;
  nanoseconds: number;
  vmClock: bigint;
  vmStateSize: number;
  extraLength: number;
}

/** Bytes of that part. */
export const FIXED_BYTES = 40;

const fixedPart: CoderType<SnapshotFields> = struct({
  l1Offset: U64BE,
  l1Size: U32BE,
  idLength: U16BE,
  nameLength: U16BE,
  seconds: U32BE,
  nanoseconds: U32BE,
  vmClock: U64BE,
  vmStateSize: U32BE,
  extraLength: U32BE,
});

/** The extra data that has a meaning: what an entry is too short for, it does not have. */
interface ExtraData {
  vmStateSize: bigint;
  diskSize: bigint;
  icount: bigint;
}

const extraData: CoderType<ExtraData> = struct({ vmStateSize: U64BE, diskSize: U64BE, icount: U64BE });
const EXTRA_BYTES = 24;
const NO_ICOUNT = 2n ** 64n - 1n;

/** The first 40 bytes of an entry. */
export function decodeSnapshotFields(bytes: Uint8Array): SnapshotFields {
  return fixedPart.decode(bytes.subarray(0, FIXED_BYTES));
}

/** Bytes of the whole entry without its padding. */
export function entryLength({ extraLength, idLength, nameLength }: SnapshotFields): number {
  return FIXED_BYTES + extraLength + idLength + nameLength;
}

/** Bytes that an entry takes in the table. */
export function paddedLength(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** The sizes that an entry names: of the VM state, and of the disk where it names one. */
export function sizesOf(
  fields: SnapshotFields,
  bytes: Uint8Array,
): { vmStateSize: bigint; diskSize: bigint | undefined } {
  const extra = decodeExtra(fields, bytes);
  return { vmStateSize: extra.vmStateSize ?? BigInt(fields.vmStateSize), diskSize: extra.diskSize };
}

/** An entry whose fields were checked. `bytes` are its own, without the padding. */
export function decodeSnapshotEntry(fields: SnapshotFields, bytes: Uint8Array): SnapshotEntry {
  const { vmStateSize, diskSize } = sizesOf(fields, bytes);
  const { icount } = decodeExtra(fields, bytes);
  const idAt = FIXED_BYTES + fields.extraLength;
  const text = (from: number, length: number) => Buffer.from(bytes.subarray(from, from + length)).toString();
  const padded = new Uint8Array(paddedLength(bytes.length));
  padded.set(bytes);
  return {
    id: text(idAt, fields.idLength),
    name: text(idAt + fields.idLength, fields.nameLength),
    date: new Date(fields.seconds * 1000 + Math.floor(fields.nanoseconds / 1e6)),
    dateNanoseconds: fields.nanoseconds,
    vmStateSize: Number(vmStateSize),
    diskSize: diskSize === undefined ? undefined : Number(diskSize),
    vmClock: fields.vmClock,
    icount: icount === NO_ICOUNT ? undefined : icount,
    l1: { offset: Number(fields.l1Offset), length: fields.l1Size * ENTRY_SIZE },
    bytes: padded,
  };
}

/** An entry for a snapshot that is being made of the disk alone. */
export function newSnapshotEntry(labels: SnapshotLabels, diskSize: number, l1: HostRange): SnapshotEntry {
  const [id, name] = [Buffer.from(labels.id), Buffer.from(labels.name)];
  const milliseconds = labels.date.getTime();
  const fields: SnapshotFields = {
    l1Offset: BigInt(l1.offset),
    l1Size: l1.length / ENTRY_SIZE,
    idLength: id.length,
    nameLength: name.length,
    seconds: Math.floor(milliseconds / 1000),
    nanoseconds: (milliseconds % 1000) * 1e6,
    vmClock: 0n,
    vmStateSize: 0,
    extraLength: EXTRA_BYTES,
  };
  const extra = extraData.encode({
    vmStateSize: 0n,
    diskSize: BigInt(diskSize),
    icount: labels.icount ?? NO_ICOUNT,
  });
  return decodeSnapshotEntry(fields, Buffer.concat([fixedPart.encode(fields), extra, id, name]));
}

/** The entry with all extra data that has a meaning, as version 3 asks for it. What it said of itself stays. */
export function completedEntry(entry: SnapshotEntry, diskSize: number): SnapshotEntry {
  const fields = decodeSnapshotFields(entry.bytes);
  if (fields.extraLength >= EXTRA_BYTES) return entry;
  const extra = extraData.encode({
    vmStateSize: BigInt(entry.vmStateSize),
    diskSize: BigInt(entry.diskSize ?? diskSize),
    icount: NO_ICOUNT,
  });
  const completed = { ...fields, extraLength: EXTRA_BYTES };
  const labels = entry.bytes.subarray(FIXED_BYTES + fields.extraLength, entryLength(fields));
  return decodeSnapshotEntry(completed, Buffer.concat([fixedPart.encode(completed), extra, labels]));
}

function decodeExtra(fields: SnapshotFields, bytes: Uint8Array): Partial<ExtraData> {
  const there = Math.min(EXTRA_BYTES, fields.extraLength - (fields.extraLength % 8));
  const known = new Uint8Array(EXTRA_BYTES);
  known.set(bytes.subarray(FIXED_BYTES, FIXED_BYTES + there));
  const { vmStateSize, diskSize, icount } = extraData.decode(known);
  return {
    ...(there >= 8 ? { vmStateSize } : {}),
    ...(there >= 16 ? { diskSize } : {}),
    ...(there >= 24 ? { icount } : {}),
  };
}
