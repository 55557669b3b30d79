import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_L1_BYTES } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import { L1Table } from '../mapping/l1-table.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';

const SECTOR = 512;

/** What a disk is that reads as a snapshot. */
export interface SnapshotContents {
  /** The virtual disk's bytes. */
  readonly size: number;
  /** In memory: where it says that it lies is the snapshot's own table, which may be shorter. */
  readonly l1: L1Table;
}

/**
 * The L1 table of a snapshot, as long as its disk needs at least, with COPIED clear in every entry: what it leads to is
 * the snapshot's, too.
 * @throws CalveError `corrupt` when the snapshot's size cannot be right; `io`
 */
export async function readSnapshotL1(
  file: ImageFile,
  entry: SnapshotEntry,
  geometry: Geometry,
): Promise<SnapshotContents> {
  const size = Math.floor((entry.diskSize ?? geometry.size) / SECTOR) * SECTOR;
  const needed = Math.ceil(size / geometry.tableCovers) * ENTRY_SIZE;
  if (needed > MAX_L1_BYTES) {
    const most = (MAX_L1_BYTES / ENTRY_SIZE) * geometry.tableCovers;
    const what = `${file.path}: snapshot ${JSON.stringify(entry.name)}`;
    throw new CalveError('corrupt', `${what}: expected a disk of at most ${most} bytes, got ${size}`, {
      hint: `qemu-img check -r all ${file.path}`,
      data: { path: file.path, snapshot: entry.id },
    });
  }
  const bytes = new Uint8Array(Math.max(entry.l1.length, needed));
  if (entry.l1.length > 0) {
    const what = 'the L1 table of a snapshot';
    bytes.set(await file.readStructure(what, entry.l1.offset, entry.l1.length));
  }
  const l1 = new L1Table(bytes, entry.l1.offset);
  for (let index = 0; index < l1.length; index += 1) {
    if (l1.isCopied(index)) l1.set(index, l1.tableOffset(index), false);
  }
  return { size, l1 };
}
