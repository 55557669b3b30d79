/** Section "Snapshot table entry": as much of it as versions differ in. Pure. */

/** The part that every entry has. */
const FIXED = 40;
const ID_SIZE_AT = 12;
const NAME_SIZE_AT = 14;
const STATE_SIZE_AT = 32;
const EXTRA_SIZE_AT = 36;
/** Extra data: the size of the VM state and of the disk, which version 3 asks for, and the count of instructions. */
const LARGE_STATE_SIZE_AT = FIXED;
const DISK_SIZE_AT = FIXED + 8;
const LEAST_EXTRA = 16;
const QEMU_EXTRA = 24;

/** One entry of a snapshot table. */
export interface SnapshotEntry {
  /** The entry, without the padding behind it. */
  readonly bytes: Buffer;
  /** Bytes of the VM state. */
  readonly stateSize: bigint;
  /** The virtual disk's bytes; undefined where the entry does not say. */
  readonly diskSize: bigint | undefined;
}

/** The entries of a whole snapshot table, which was found to be right. */
export function decodeSnapshotTable(bytes: Buffer): SnapshotEntry[] {
  const entries: SnapshotEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const entry = decodeSnapshotEntry(bytes.subarray(at));
    entries.push(entry);
    at += paddedLength(entry);
  }
  return entries;
}

/** The bytes of a snapshot table: each entry starts at a multiple of 8 (trap 31). */
export function encodeSnapshotTable(entries: readonly SnapshotEntry[]): Buffer {
  const table = Buffer.alloc(entries.reduce((sum, entry) => sum + paddedLength(entry), 0));
  let at = 0;
  for (const entry of entries) {
    table.set(entry.bytes, at);
    at += paddedLength(entry);
  }
  return table;
}

function decodeSnapshotEntry(bytes: Buffer): SnapshotEntry {
  const extra = bytes.readUInt32BE(EXTRA_SIZE_AT);
  const length = FIXED + extra + bytes.readUInt16BE(ID_SIZE_AT) + bytes.readUInt16BE(NAME_SIZE_AT);
  return {
    bytes: bytes.subarray(0, length),
    stateSize:
      extra >= DISK_SIZE_AT - FIXED
        ? bytes.readBigUInt64BE(LARGE_STATE_SIZE_AT)
        : BigInt(bytes.readUInt32BE(STATE_SIZE_AT)),
    diskSize: extra >= LEAST_EXTRA ? bytes.readBigUInt64BE(DISK_SIZE_AT) : undefined,
  };
}

function paddedLength({ bytes }: SnapshotEntry): number {
  return Math.ceil(bytes.length / 8) * 8;
}

/** Whether an entry says all that version 3 asks for. */
export function isComplete({ diskSize }: SnapshotEntry): boolean {
  return diskSize !== undefined;
}

/** The entry with all extra data that QEMU writes. What it said of itself stays. */
export function completedEntry(entry: SnapshotEntry, diskSize: number): SnapshotEntry {
  const { bytes, stateSize } = entry;
  const extra = bytes.readUInt32BE(EXTRA_SIZE_AT);
  if (extra >= QEMU_EXTRA) return entry;
  const completed = Buffer.alloc(bytes.length + QEMU_EXTRA - extra);
  bytes.copy(completed, 0, 0, FIXED + extra);
  bytes.copy(completed, FIXED + QEMU_EXTRA, FIXED + extra);
  completed.writeUInt32BE(QEMU_EXTRA, EXTRA_SIZE_AT);
  completed.writeBigUInt64BE(stateSize, LARGE_STATE_SIZE_AT);
  completed.writeBigUInt64BE(entry.diskSize ?? BigInt(diskSize), DISK_SIZE_AT);
  // Section "Snapshot table entry": all ones where the instructions were not counted.
  completed.writeBigUInt64BE(2n ** 64n - 1n, FIXED + LEAST_EXTRA);
  return decodeSnapshotEntry(completed);
}
