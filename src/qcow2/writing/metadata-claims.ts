import { CalveError } from '../../errors/index.ts';
import type { BitmapList } from '../bitmaps/bitmap-list.ts';
import { ENTRY_SIZE } from '../constants.ts';
import { encryptionArea } from '../encryption/index.ts';
import type { ImageFile } from '../image-file.ts';
import type { L1Table } from '../mapping/l1-table.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { SnapshotPlaces } from '../snapshots/snapshot-table.ts';
import type { MetadataClaim } from './metadata-clusters.ts';
import type { RefcountTable } from './refcount-table.ts';

/** What the claims of an image are gathered from. */
export interface ClaimSources {
  readonly file: ImageFile;
  readonly header: Qcow2Header;
  readonly l1: L1Table;
  readonly refcountTable: RefcountTable;
  readonly snapshots: SnapshotPlaces;
  readonly bitmaps: BitmapList;
}

/**
 * Every structure of an image that guest data must not be written onto.
 * @throws CalveError `corrupt` for an L2 table that cannot be where its L1 entry says
 */
export function* metadataClaims(sources: ClaimSources): Generator<MetadataClaim> {
  const { header, l1, refcountTable, snapshots, bitmaps } = sources;
  const length = header.clusterSize;
  yield { kind: 'header', offset: 0, length };
  yield { kind: 'L1 table', offset: l1.offset, length: l1.length * ENTRY_SIZE };
  yield { kind: 'refcount table', ...refcountTable.place };
  for (let index = 0; index < refcountTable.used; index += 1) {
    const offset = refcountTable.blockOffset(index);
    if (offset !== 0) yield { kind: 'refcount block', offset, length };
  }
  if (snapshots.table) yield { kind: 'snapshot table', ...snapshots.table };
  for (const range of snapshots.l1Tables) yield { kind: 'L1 table of a snapshot', ...range };
  // What bitmaps lead to is not claimed: nothing is written there either (see PageWriter).
  if (bitmaps.directory) yield { kind: 'bitmap directory', ...bitmaps.directory };
  for (const { table } of bitmaps.bitmaps) if (table) yield { kind: 'bitmap table', ...table };
  if (header.cryptMethod === 'luks') {
    const area = encryptionArea(header);
    // QEMU takes one that claims to be longer than its file: only what is there can be written onto.
    const there = Math.max(0, sources.file.end - area.offset);
    yield { kind: 'LUKS header', offset: area.offset, length: Math.min(area.length, there) };
  }
  for (let index = 0; index < l1.length; index += 1) {
    const offset = l1.tableOffset(index);
    if (offset === 0) continue;
    if (offset % length !== 0 || offset > sources.file.end - length) throw misplaced(sources, index, offset);
    yield { kind: l1.isCopied(index) ? 'L2 table' : 'shared L2 table', offset, length };
  }
}

function misplaced({ file, header }: ClaimSources, index: number, offset: number): CalveError {
  const expected = `a multiple of ${header.clusterSize} inside the file's ${file.end} bytes`;
  return new CalveError('corrupt', `${file.path}: L1 entry ${index}: expected ${expected}, got ${offset}`, {
    hint: `qemu-img check -r all ${file.path}`,
    data: { path: file.path, l1Index: index, offset },
  });
}
