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
  /** They are the guest clusters' already, which read zeros so far. */
  readonly owned: boolean;
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
    const { map } = this.#parts;
    const mapping = emptyMapping();
    let at = 0;
    while (at < from.length) {
      const left = from.length - at;
      if (!map.tryMap(offset + at, left, mapping)) await map.map(offset + at, left, mapping);
      const part = from.subarray(at, at + mapping.length);
      if (isWritable(mapping)) {
        writes.add(this.#writeInPlace(part, mapping.host));
        at += part.length;
      } else {
        at += await this.#writeElsewhere(part, offset + at);
      }
    }
  }

  async #writeInPlace(part: Uint8Array, host: number): Promise<void> {
    const { file, metadata, geometry } = this.#parts;
    metadata.checkData(host, part.length);
    if (host - (host % geometry.clusterSize) >= file.end) {
      throw new CalveError('corrupt', `${file.path}: guest data at ${host} lies past the end of the file`, {
        hint: `qemu-img check -r all ${file.path}`,
        data: { path: file.path, offset: host, size: file.end },
      });
    }
    const generation = file.inFlight.enter();
    try {
      await file.write(part, host);
    } finally {
      file.inFlight.leave(generation);
    }
  }

  /** Writes the beginning of `part` to new clusters and returns how many bytes; 0 when others gave it a place first. */
  async #writeElsewhere(part: Uint8Array, offset: number): Promise<number> {
    const { clusterSize, tableCovers } = this.#parts.geometry;
    const tableEnd = (Math.floor(offset / tableCovers) + 1) * tableCovers;
    const end = Math.min(offset + part.length, tableEnd);
    const release = await this.#parts.locks.acquire(
      Math.floor(offset / clusterSize),
      Math.floor((end - 1) / clusterSize),
    );
    try {
      const target = await this.#parts.mutex.run(() => this.#findTarget(offset, end - offset));
      if (!target) return 0;
      const start = offset - (offset % clusterSize);
      const length = Math.min(end, start + target.count * clusterSize) - offset;
      try {
        await this.#fill(target, part.subarray(0, length), offset);
        await this.#parts.mutex.run(() => this.#link(target, offset));
      } catch (error) {
        // What cannot be given back is a leak; the error that counts is the first.
        await this.#giveBack(target).catch(() => undefined);
        throw error;
      }
      return length;
    } finally {
      release();
    }
  }

  /** New clusters for what starts at `offset`, as far as it is alike; undefined when it can be written in place. */
  async #findTarget(offset: number, length: number): Promise<Target | undefined> {
    const { map, allocator, makeRoom } = this.#parts;
    const { clusterSize } = this.#parts.geometry;
    await makeRoom();
    const mapping = emptyMapping();
    await map.map(offset, length, mapping);
    if (isWritable(mapping)) return undefined;
    const inCluster = offset % clusterSize;
    const clusters = Math.ceil((inCluster + mapping.length) / clusterSize);
    if (mapping.kind === 'zero-allocated' && mapping.copied) {
      const host = mapping.host - inCluster;
      this.#parts.metadata.checkData(host, clusters * clusterSize);
      return { host, count: clusters, fresh: false, owned: true };
    }
    const { first, count, fresh } = await allocator.take(clusters);
    return { host: first * clusterSize, count, fresh, owned: false };
  }

  /** Writes the data, and around it what the guest clusters held before. */
  async #fill(target: Target, data: Uint8Array, offset: number): Promise<void> {
    const { file, geometry } = this.#parts;
    const inCluster = offset % geometry.clusterSize;
    const start = offset - inCluster;
    const end = start + target.count * geometry.clusterSize;
    const [before, after] = await Promise.all([
      this.#readOld(start, offset, target.fresh),
      this.#readOld(offset + data.length, end, target.fresh),
    ]);
    const pieces = [before, data, after];
    if (before.length + after.length > 0 && before.length + data.length + after.length <= GATHERED) {
      const host = target.host + inCluster - before.length;
      return file.write(Buffer.concat(pieces), host);
    }
    const writes = new TaskGroup();
    let at = target.host + inCluster - before.length;
    for (const piece of pieces) {
      if (piece.length > 0) writes.add(file.write(piece, at));
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
