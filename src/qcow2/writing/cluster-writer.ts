import { CalveError } from '../../errors/index.ts';
import { emptyMapping, type Mapping } from '../mapping/mapping.ts';
import { entryHigh, entryLow } from '../table-entry.ts';
import { TaskGroup } from '../task-group.ts';
import { releaseEntry } from './release-entry.ts';
import type { WriterParts } from './writer-parts.ts';

/** Host clusters that guest clusters are about to get. */
interface Target {
  readonly host: number;
  readonly count: number;
  /** The file reads zeros there. */
  readonly fresh: boolean;
  /** They are the guest clusters' already: `zero` where those read zeros so far, `data` where only units are filled. */
  readonly owned: 'zero' | 'data' | undefined;
}

/** Up to this many bytes of neighbours and data are put together in memory and written at once. */
const GATHERED = 256 * 1024;

/**
 * Writes guest data. Where the clusters are the image's alone, the data goes straight to its place. Everywhere else it
 * goes to new clusters, together with what is missing around it, and then the L2 entries are changed in memory: data
 * first, so that a crash in between costs a leak.
 */
export class ClusterWriter {
  readonly #parts: WriterParts;

  constructor(parts: WriterParts) {
    this.#parts = parts;
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
    const { map, data } = this.#parts;
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
        at += await this.#writeElsewhere(part, offset + at);
      }
    }
  }

  async #writeInPlace(part: Uint8Array, host: number, offset: number): Promise<void> {
    const { file, data } = this.#parts;
    this.#checkInPlace(host, part.length);
    const generation = file.inFlight.enter();
    try {
      await data.write(part, host, offset);
    } finally {
      file.inFlight.leave(generation);
    }
  }

  #checkInPlace(host: number, length: number): void {
    const { file, metadata, geometry } = this.#parts;
    metadata.checkData(host, length);
    if (host - (host % geometry.clusterSize) >= file.end) {
      throw new CalveError('corrupt', `${file.path}: guest data at ${host} lies past the end of the file`, {
        hint: `qemu-img check -r all ${file.path}`,
        data: { path: file.path, offset: host, size: file.end },
      });
    }
  }

  /** Writes the beginning of `part` to new clusters and returns how many bytes; 0 when others gave it a place first. */
  #writeElsewhere(part: Uint8Array, offset: number): Promise<number> {
    const { clusterSize, tableCovers } = this.#parts.geometry;
    const tableEnd = (Math.floor(offset / tableCovers) + 1) * tableCovers;
    const length = Math.min(part.length, tableEnd - offset);
    const [first, end] = [Math.floor(offset / clusterSize), Math.ceil((offset + length) / clusterSize)];
    return this.#parts.locks.run(first, end, () => this.#place(part.subarray(0, length), offset));
  }

  async #place(part: Uint8Array, offset: number): Promise<number> {
    const { clusterSize } = this.#parts.geometry;
    const target = await this.#parts.mutex.run(() => this.#findTarget(offset, part.length));
    if (!target) return 0;
    const length = Math.min(part.length, target.count * clusterSize - (offset % clusterSize));
    try {
      await this.#fill(target, part.subarray(0, length), offset);
      if (target.owned !== 'data') await this.#parts.mutex.run(() => this.#link(target, offset));
    } catch (error) {
      // What cannot be given back is a leak; the error that counts is the first.
      await this.#giveBack(target).catch(() => undefined);
      throw error;
    }
    return length;
  }

  /**
   * New clusters for what starts at `offset`, as far as it is alike; its own where only units must be filled up;
   * undefined when it can be written in place just so.
   */
  async #findTarget(offset: number, length: number): Promise<Target | undefined> {
    const { map, allocator, makeRoom, data } = this.#parts;
    const { clusterSize } = this.#parts.geometry;
    await makeRoom();
    const mapping = emptyMapping();
    await map.map(offset, length, mapping);
    if (isWritable(mapping) && data.unit === 1) return undefined;
    const inCluster = offset % clusterSize;
    const clusters = Math.ceil((inCluster + mapping.length) / clusterSize);
    if (isWritable(mapping)) {
      this.#checkInPlace(mapping.host, mapping.length);
      return { host: mapping.host - inCluster, count: clusters, fresh: false, owned: 'data' };
    }
    if (mapping.kind === 'zero-allocated' && mapping.copied) {
      const host = mapping.host - inCluster;
      this.#parts.metadata.checkData(host, clusters * clusterSize);
      return { host, count: clusters, fresh: false, owned: 'zero' };
    }
    const { first, count, fresh } = await allocator.take(clusters);
    // Only where nothing is encrypted does a cluster that was never written read zeros.
    return { host: first * clusterSize, count, fresh: fresh && data.unit === 1, owned: undefined };
  }

  /** Writes the data, and around it what the guest clusters held before. */
  async #fill(target: Target, data: Uint8Array, offset: number): Promise<void> {
    const { geometry, data: stored } = this.#parts;
    const grain = target.owned === 'data' ? stored.unit : geometry.clusterSize;
    const end = offset + data.length;
    const [before, after] = await Promise.all([
      this.#readOld(offset - (offset % grain), offset, target.fresh),
      this.#readOld(end, Math.ceil(end / grain) * grain, target.fresh),
    ]);
    const pieces = [before, data, after];
    const length = before.length + data.length + after.length;
    const start = offset - before.length;
    const host = target.host + (offset % geometry.clusterSize) - before.length;
    if (stored.unit > 1 || (length > data.length && length <= GATHERED)) {
      return stored.write(length > data.length ? Buffer.concat(pieces) : data, host, start);
    }
    const writes = new TaskGroup();
    let at = 0;
    for (const piece of pieces) {
      if (piece.length > 0) writes.add(stored.write(piece, host + at, start + at));
      at += piece.length;
    }
    await writes.end();
  }

  /**
   * What a guest range reads now, or nothing where it need not be written, because it is zeros and the file reads zeros.
   * Behind the end of the disk are zeros.
   */
  async #readOld(from: number, to: number, fresh: boolean): Promise<Uint8Array> {
    const { reader, geometry } = this.#parts;
    const inside = Math.max(0, Math.min(to, geometry.size) - from);
    if (fresh && (await reader.readsZeros(from, inside))) return new Uint8Array();
    const bytes = new Uint8Array(to - from);
    await reader.read(bytes.subarray(0, inside), from);
    return bytes;
  }

  /** Points the L2 entries of guest clusters at the clusters that hold their data now. */
  async #link(target: Target, offset: number): Promise<void> {
    const { geometry, tables, frees } = this.#parts;
    const { clusterSize, tableCovers } = geometry;
    const index = Math.floor(offset / tableCovers);
    const table = await tables.forWriting(index);
    const first = Math.floor((offset - index * tableCovers) / clusterSize);
    for (let at = 0; at < target.count; at += 1) {
      const host = target.host + at * clusterSize;
      if (!target.owned) releaseEntry(table, first + at, geometry, frees, 'kept');
      table.set(first + at, entryHigh(host, true), entryLow(host));
    }
    tables.markDirty(table);
  }

  /** After a failure: nothing points at the clusters, neither in memory nor on disk. */
  async #giveBack(target: Target): Promise<void> {
    const { allocator, geometry, mutex } = this.#parts;
    if (target.owned) return;
    await mutex.run(async () => {
      await allocator.release(target.host / geometry.clusterSize, target.count);
    });
  }
}

/** Whether data can be written where the clusters lie. */
function isWritable(mapping: Mapping): boolean {
  return mapping.kind === 'data' && mapping.copied;
}
