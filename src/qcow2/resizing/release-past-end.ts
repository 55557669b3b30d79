import { isZero } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import { MAX_HOST_OFFSET } from '../constants.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { clusterKind, compressedOffset, entryOffset } from '../table-entry.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import type { FreeOptions } from '../writing/pending-frees.ts';
import { releaseEntry } from '../writing/release-entry.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { setEntry } from './set-entry.ts';

const TABLE: FreeOptions = { flagged: true, punch: true };

/**
 * Takes everything out of the tables that lies in clusters past the end of the disk, and gives its storage back: L2
 * tables that map nothing else as a whole. Then everything is durable, and nothing is dirty.
 * @throws CalveError `corrupt` for an entry that no writer makes; its table stays as it is
 */
export async function releasePastEnd(writer: ImageWriter): Promise<void> {
  const { parts, metadata } = writer;
  const { clusterSize, tableEntries, size } = parts.geometry;
  const first = Math.ceil(size / clusterSize);
  for (let index = Math.floor(first / tableEntries); index < metadata.l1.length; index += 1) {
    if (metadata.l1.tableOffset(index) === 0) continue;
    await parts.mutex.run(async () => {
      await parts.makeRoom();
      await releaseFrom(writer, index, Math.max(0, first - index * tableEntries));
    });
  }
  await parts.mutex.run(() => settleMetadata(metadata));
  metadata.l2.forget();
}

/** The entries of a table from `from` on; with all of them goes the table. */
async function releaseFrom(writer: ImageWriter, index: number, from: number): Promise<void> {
  const { tables, geometry, frees } = writer.parts;
  const { clusterSize, entryBytes, tableEntries } = geometry;
  const existing = await tables.existing(index);
  if (!existing || (from > 0 && isZero(existing.bytes.subarray(from * entryBytes)))) return;
  for (let entry = from; entry < tableEntries; entry += 1) checkEntry(writer, existing, entry);
  const table = from > 0 ? await tables.forWriting(index) : existing;
  for (let entry = from; entry < tableEntries; entry += 1) {
    releaseEntry(table, entry, geometry, frees, 'punched');
    if (from > 0) setEntry(table, entry, geometry, { high: 0, low: 0, zeroes: false });
  }
  if (from > 0) return tables.markDirty(table);
  writer.metadata.l1.clear(index);
  frees.add(table.offset, clusterSize, TABLE);
}

/** What an entry says of clusters is used to release them. */
function checkEntry(writer: ImageWriter, table: L2Table, entry: number): void {
  const { geometry, file } = writer.parts;
  const [high, low] = [table.high(entry), table.low(entry)];
  const kind = clusterKind(high, low);
  if (kind === 'unallocated' || kind === 'zero') return;
  const compressed = kind === 'compressed';
  const host = compressed ? compressedOffset(high, low, geometry.clusterBits) : entryOffset(high, low);
  if (compressed ? host < MAX_HOST_OFFSET : host % geometry.clusterSize === 0) return;
  const guest = table.index * geometry.tableCovers + entry * geometry.clusterSize;
  const expected = compressed ? 'a host offset below 2^56' : `a multiple of ${geometry.clusterSize}`;
  throw new CalveError(
    'corrupt',
    `${file.path}: L2 entry of guest offset ${guest}: expected ${expected}, got ${host}`,
    { hint: `qemu-img check -r all ${file.path}`, data: { path: file.path, guestOffset: guest, got: host } },
  );
}
