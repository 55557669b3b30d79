import { emptyEntry, subclustersOf, writeEntry } from '../mapping/cluster-entry.ts';
import { emptyMapping, type Mapping } from '../mapping/mapping.ts';
import { TaskGroup } from '../task-group.ts';
import { type GuestPiece, OldContent } from './old-content.ts';
import { keptSubclusters } from './ranges-around.ts';
import { TargetFinder, type WriteTarget } from './write-target.ts';
import type { WriterParts } from './writer-parts.ts';

/** Up to this many bytes of neighbours and data are put together in memory and written at once. */
const GATHERED = 256 * 1024;

/**
 * Writes guest data. Where the clusters are the image's alone and have data already, it goes straight to its place.
 * Subclusters of such clusters that have none are filled where they lie. Everything else goes to new clusters, together
 * with what is missing around it. Then the L2 entries are changed in memory: data first, so that a crash in between costs
 * a leak.
 */
export class ClusterWriter {
  readonly #parts: WriterParts;
  readonly #targets: TargetFinder;
  readonly #old: OldContent;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#targets = new TargetFinder(parts);
    this.#old = new OldContent(parts.reader, parts.geometry);
  }

  /** As WritableDisk.write; the range was checked. */
  async write(from: Uint8Array, offset: number): Promise<void> {
    const writes = new TaskGroup();
    try {
      await this.#startWrites(from, offset, writes);
    } catch (error) {
      writes.fail(error);
    }
    await writes.end();
  }

  async #startWrites(from: Uint8Array, offset: number, writes: TaskGroup): Promise<void> {
    const { map, data, geometry } = this.#parts;
    const mapping = emptyMapping();
    let at = 0;
    while (at < from.length) {
      const left = from.length - at;
      if (!map.tryMap(offset + at, left, mapping)) await map.map(offset + at, left, mapping);
      const part = from.subarray(at, at + mapping.length);
      if (isWritable(mapping) && data.unit === 1) {
        writes.add(this.#writeInPlace(part, mapping.host, offset + at));
        at += part.length;
      } else {
        // Subclusters that differ, of one cluster, go to one place together.
        const rest = geometry.subclusters === 1 ? part : from.subarray(at);
        at += await this.#writeElsewhere(rest, offset + at);
      }
    }
  }

  async #writeInPlace(part: Uint8Array, host: number, offset: number): Promise<void> {
    const { file, data, guestClusters } = this.#parts;
    guestClusters.check(host, part.length, true);
    const generation = file.inFlight.enter();
    try {
      await data.write(part, host, offset);
    } finally {
      file.inFlight.leave(generation);
    }
  }

  /** Writes the beginning of `part` where it has no data yet; returns how many bytes; 0 when others wrote there first. */
  #writeElsewhere(part: Uint8Array, offset: number): Promise<number> {
    const { clusterSize, tableCovers } = this.#parts.geometry;
    const tableEnd = (Math.floor(offset / tableCovers) + 1) * tableCovers;
    const length = Math.min(part.length, tableEnd - offset);
    const [first, end] = [Math.floor(offset / clusterSize), Math.ceil((offset + length) / clusterSize)];
    return this.#parts.locks.run(first, end, () => this.#place(part.subarray(0, length), offset));
  }

  async #place(part: Uint8Array, offset: number): Promise<number> {
    const { mutex, guestClusters } = this.#parts;
    const target = await mutex.run(() => this.#targets.find(offset, part.length));
    if (!target) return 0;
    try {
      await this.#fill(target, part.subarray(0, target.length), offset);
      if (target.links) await mutex.run(() => this.#link(target, offset));
    } catch (error) {
      // What cannot be given back is a leak; the error that counts is the first.
      if (!target.placed) await mutex.run(() => guestClusters.giveBack(target)).catch(() => undefined);
      throw error;
    }
    return target.length;
  }

  /** Writes the data, and around it what the guest clusters held before. */
  async #fill(target: WriteTarget, data: Uint8Array, offset: number): Promise<void> {
    const { geometry, data: stored } = this.#parts;
    const old = await this.#old.read(target.around, target.fresh);
    const pieces = [
      ...old.filter(({ at }) => at < offset),
      { at: offset, bytes: data },
      ...old.filter(({ at }) => at > offset),
    ];
    const start = offset - (offset % geometry.clusterSize);
    const writes = new TaskGroup();
    for (const { at, bytes } of gathered(pieces, stored.unit)) {
      writes.add(stored.write(bytes, target.host + at - start, at));
    }
    await writes.end();
  }

  /** Makes the L2 entries say that the clusters hold the data now. */
  async #link(target: WriteTarget, offset: number): Promise<void> {
    const { geometry, map, tables, guestClusters } = this.#parts;
    const { clusterSize, tableCovers } = geometry;
    const index = Math.floor(offset / tableCovers);
    const table = await tables.forWriting(index);
    const start = offset - (offset % clusterSize);
    const first = (start - index * tableCovers) / clusterSize;
    const entry = emptyEntry();
    for (let at = 0; at < target.count; at += 1) {
      const cluster = start + at * clusterSize;
      map.readEntry(table, first + at, entry);
      const kept = target.placed ? entry.alloc : keptSubclusters(geometry, entry);
      if (!target.placed) guestClusters.release(table, first + at, 'kept');
      entry.owned = 'cluster';
      entry.host = target.host + at * clusterSize;
      entry.copied = true;
      entry.alloc = (kept | subclustersOf(geometry, cluster, offset, offset + target.length)) >>> 0;
      entry.zero = (entry.zero & ~entry.alloc) >>> 0;
      writeEntry(table, first + at, geometry, entry);
    }
    tables.markDirty(table);
  }
}

/** Whether data can be written where the clusters lie. */
function isWritable(mapping: Mapping): boolean {
  return mapping.kind === 'data' && mapping.copied;
}

/**
 * Pieces that follow each other become one, unless they are long.
 * @param unit where it is more than 1, only whole units can be written, and what follows each other must become one
 */
function gathered(pieces: readonly GuestPiece[], unit: number): GuestPiece[] {
  const runs: GuestPiece[][] = [];
  let end = -1;
  for (const piece of pieces) {
    if (piece.at === end) runs.at(-1)?.push(piece);
    else runs.push([piece]);
    end = piece.at + piece.bytes.length;
  }
  return runs.flatMap((run) => {
    const [first] = run;
    if (!first || run.length === 1) return run;
    const length = run.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (unit === 1 && length > GATHERED) return run;
    return [{ at: first.at, bytes: Buffer.concat(run.map(({ bytes }) => bytes)) }];
  });
}
