import type { Preallocation } from '../creating/image-options.ts';
import { reserveStorage } from '../creating/reserve-storage.ts';
import { allSubclusters, emptyEntry, writeEntry } from '../mapping/cluster-entry.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import type { ClusterRun } from '../writing/allocator.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { freeEntries } from './free-entries.ts';
import type { ResizeOptions } from './resize-options.ts';

/** Zeros of version 2 under a cipher, written a piece at a time. */
const PIECE = 1024 * 1024;

/**
 * Gives the clusters of a guest range a place that have none; they read zeros as before. The L1
 * table covers the range. A cluster that the range begins inside of is left out where it may show a backing file.
 * @param from bytes, as `to`
 * @throws CalveError `no-space`, `io`; the signal's reason; what has a place by then keeps it
 */
export async function preallocateRange(
  writer: ImageWriter,
  from: number,
  to: number,
  { preallocation: mode = 'off', signal }: ResizeOptions,
): Promise<void> {
  if (mode === 'off') return;
  await reserveFirst(writer, from, mode);
  const { geometry, map, tables, namesBacking } = writer.parts;
  const { clusterSize, tableEntries } = geometry;
  const round = namesBacking ? Math.ceil : Math.floor;
  const end = Math.ceil(to / clusterSize);
  for (let cluster = round(from / clusterSize); cluster < end; ) {
    signal?.throwIfAborted();
    const index = Math.floor(cluster / tableEntries);
    const entry = cluster - index * tableEntries;
    const limit = Math.min(tableEntries, end - index * tableEntries);
    const { first, count } = freeEntries(map, await tables.existing(index), entry, limit);
    const placed = count === 0 ? 0 : await placeRun(writer, index, { first, count }, mode);
    cluster = index * tableEntries + first + placed;
  }
}

/**
 * The cluster that the range begins inside of may have a place that lacks storage: it is kept as far as the file system can.
 * What it holds stays.
 */
async function reserveFirst(writer: ImageWriter, from: number, mode: Preallocation): Promise<void> {
  const { geometry, map, tables, file } = writer.parts;
  const { clusterSize, tableCovers, dataFile } = geometry;
  if (mode === 'metadata' || dataFile || from % clusterSize === 0) return;
  const index = Math.floor(from / tableCovers);
  const table = await tables.existing(index);
  if (!table) return;
  const entry = emptyEntry();
  map.readEntry(table, Math.floor((from - index * tableCovers) / clusterSize), entry);
  if (entry.owned === 'cluster') file.allocate(entry.host, clusterSize);
}

/** Gives the first of some clusters in a table their place and returns how many. */
async function placeRun(
  writer: ImageWriter,
  index: number,
  entries: { readonly first: number; readonly count: number },
  mode: Preallocation,
): Promise<number> {
  const { allocator, tables, makeRoom, mutex } = writer.parts;
  return mutex.run(async () => {
    await makeRoom();
    // Ahead of its clusters in the file, so that these lie in one piece.
    await tables.forWriting(index);
    const run = await allocator.take(entries.count);
    try {
      await fillRun(writer, run, guestOffset(writer, index, entries.first), mode);
      const table = await tables.forWriting(index);
      link(writer, table, entries.first, run);
      tables.markDirty(table);
      return run.count;
    } catch (error) {
      // Nothing points at them. What cannot be given back is a leak; the error that counts is the first.
      await allocator.release(run.first, run.count).catch(() => undefined);
      throw error;
    }
  });
}

function guestOffset(writer: ImageWriter, index: number, entry: number): number {
  const { tableCovers, clusterSize } = writer.parts.geometry;
  return index * tableCovers + entry * clusterSize;
}

/** The file reaches up to the end of the run, and has storage for it where the mode asks for that. */
async function fillRun(
  writer: ImageWriter,
  run: ClusterRun,
  guest: number,
  mode: Preallocation,
): Promise<void> {
  const { file, geometry, data, metadata } = writer.parts;
  const { clusterSize, version } = geometry;
  const [host, length] = [run.first * clusterSize, run.count * clusterSize];
  metadata.checkData(host, length);
  await reserveStorage(file, host, length, mode);
  await file.growTo(host + length);
  if (version >= 3 || readsZeros(writer, run)) return;
  // Version 2 has no zero flag: what was there before, or what zeros decrypt to, is written over.
  for (let at = 0; at < length; at += PIECE) {
    await data.write(new Uint8Array(Math.min(PIECE, length - at)), host + at, guest + at);
  }
}

function link(writer: ImageWriter, table: L2Table, first: number, run: ClusterRun): void {
  const { geometry } = writer.parts;
  // Subclusters say it in any case, so that they show no backing file.
  const says = geometry.subclusters > 1 || (geometry.version >= 3 && !readsZeros(writer, run));
  const entry = emptyEntry();
  entry.owned = 'cluster';
  entry.copied = true;
  entry.zero = says ? allSubclusters(geometry) : 0;
  for (let at = 0; at < run.count; at += 1) {
    entry.host = (run.first + at) * geometry.clusterSize;
    writeEntry(table, first + at, geometry, entry);
  }
}

/** Whether the guest reads zeros where nothing was written: not under a cipher. */
function readsZeros(writer: ImageWriter, run: ClusterRun): boolean {
  return run.fresh && writer.parts.data.unit === 1;
}
