import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { decompressCluster } from '../compression/decompress-cluster.ts';
import { type ImageFile, QUICK_READ } from '../image-file.ts';
import type { CompressionType } from '../qcow2-header.ts';
import { TaskGroup } from '../task-group.ts';
import type { UnpackedClusters } from '../unpacked/unpacked-clusters.ts';
import type { ClusterMap } from './cluster-map.ts';
import type { GuestData } from './guest-data.ts';
import { emptyMapping, type Mapping } from './mapping.ts';

/** What a reader works on. */
export interface ReaderParts {
  readonly file: ImageFile;
  readonly data: GuestData;
  readonly map: ClusterMap;
  readonly backing: Disk | null;
  readonly compressionType: CompressionType;
  readonly unpacked: UnpackedClusters;
}

/** The one place that reads guest data: turns mappings into reads of the file, of the backing disk, and zeros. */
export class ClusterReader {
  readonly #file: ImageFile;
  readonly #data: GuestData;
  readonly #map: ClusterMap;
  readonly #backing: Disk | null;
  readonly #compressionType: CompressionType;
  readonly #unpacked: UnpackedClusters;
  readonly #unpacking = new Map<number, Promise<void>>();
  readonly #quickMapping = emptyMapping();
  /** What is unpacked at once, used again and again: memory fresh from the system takes longer than reading into it. */
  #packed: Uint8Array = new Uint8Array();

  constructor(parts: ReaderParts) {
    this.#file = parts.file;
    this.#data = parts.data;
    this.#map = parts.map;
    this.#backing = parts.backing;
    this.#compressionType = parts.compressionType;
    this.#unpacked = parts.unpacked;
  }

  /** As Disk.tryRead; the range was checked. */
  tryRead(into: Uint8Array, offset: number): boolean {
    if (into.length > QUICK_READ) return false;
    const mapping = this.#quickMapping;
    let at = 0;
    while (at < into.length) {
      if (!this.#map.tryMap(offset + at, into.length - at, mapping)) return false;
      const end = at + mapping.length;
      const part = mapping.length === into.length ? into : into.subarray(at, end);
      if (!this.#tryReadPart(mapping, part, offset + at)) return false;
      at = end;
    }
    return true;
  }

  /** As Disk.read; the range was checked. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    const generation = this.#file.inFlight.enter();
    const reads = new TaskGroup();
    try {
      await this.#startReads(into, offset, reads);
    } catch (error) {
      reads.fail(error);
    }
    try {
      await reads.end();
    } finally {
      this.#file.inFlight.leave(generation);
    }
  }

  /** Whether the tables alone tell that a range reads zeros: of this image, and the backing disk's size. */
  async readsZeros(offset: number, length: number): Promise<boolean> {
    const mapping = emptyMapping();
    for (let at = offset; at < offset + length; at += mapping.length) {
      await this.#map.map(at, offset + length - at, mapping);
      const { kind } = mapping;
      if (kind === 'zero' || kind === 'zero-allocated') continue;
      if (kind !== 'unallocated' || (this.#backing && at < this.#backing.size)) return false;
    }
    return true;
  }

  /** Other compressed data is going to lie at this host offset, where nobody reads any more. */
  forgetUnpacked(host: number): void {
    this.#unpacked.forget(host);
  }

  /** Parts that lie apart are read at the same time. */
  async #startReads(into: Uint8Array, offset: number, reads: TaskGroup): Promise<void> {
    const mapping = emptyMapping();
    let at = 0;
    while (at < into.length) {
      const left = into.length - at;
      if (!this.#map.tryMap(offset + at, left, mapping)) await this.#map.map(offset + at, left, mapping);
      const end = at + mapping.length;
      const part = mapping.length === into.length ? into : into.subarray(at, end);
      const reading = this.#readPart(mapping, part, offset + at);
      if (reading) reads.add(reading);
      at = end;
    }
  }

  #tryReadPart(mapping: Mapping, part: Uint8Array, offset: number): boolean {
    switch (mapping.kind) {
      case 'data':
        return this.#data.tryRead(part, mapping.host, offset);
      case 'unallocated':
        return this.#tryReadBacking(part, offset);
      case 'compressed':
        if (this.#unpacked.tryRead(mapping.host, part, this.#inCluster(offset))) return true;
        return this.#tryUnpack(mapping.host, mapping.hostLength, part, offset);
      default:
        part.fill(0);
        return true;
    }
  }

  /** Undefined when the part is filled already. */
  #readPart(mapping: Mapping, part: Uint8Array, offset: number): Promise<void> | undefined {
    switch (mapping.kind) {
      case 'data':
        return this.#data.read(part, mapping.host, offset);
      case 'unallocated':
        return this.#readBacking(part, offset);
      case 'compressed':
        return this.#readCompressed(mapping.host, mapping.hostLength, part, offset);
      default:
        part.fill(0);
        return undefined;
    }
  }

  #tryReadBacking(part: Uint8Array, offset: number): boolean {
    const backing = this.#backing;
    const length = backing ? Math.max(0, Math.min(part.length, backing.size - offset)) : 0;
    if (length < part.length) part.fill(0, length);
    if (!backing || length === 0) return true;
    return backing.tryRead?.(length === part.length ? part : part.subarray(0, length), offset) ?? false;
  }

  /** Past its end the backing disk reads as zeros (trap 20). */
  #readBacking(part: Uint8Array, offset: number): Promise<void> | undefined {
    const backing = this.#backing;
    const length = backing ? Math.max(0, Math.min(part.length, backing.size - offset)) : 0;
    if (length < part.length) part.fill(0, length);
    if (!backing || length === 0) return undefined;
    return backing.read(length === part.length ? part : part.subarray(0, length), offset);
  }

  async #readCompressed(host: number, hostLength: number, part: Uint8Array, offset: number): Promise<void> {
    while (!(await this.#unpacked.read(host, part, this.#inCluster(offset)))) {
      // Who waits for another's unpacking may come too late to find it kept.
      const unpacking = this.#unpacking.get(host);
      if (unpacking) {
        await unpacking;
        continue;
      }
      // Whoever reads whole clusters seldom comes back: that would only push out what others come back to.
      if (part.length === this.#map.geometry.clusterSize) return this.#unpack(host, hostLength, offset, part);
      const ended = this.#unpackAndKeep(host, hostLength, part, offset).finally(() =>
        this.#unpacking.delete(host),
      );
      this.#unpacking.set(host, ended);
      return ended;
    }
  }

  async #unpackAndKeep(host: number, hostLength: number, part: Uint8Array, offset: number): Promise<void> {
    const cluster = this.#unpacked.spare.take();
    await this.#unpack(host, hostLength, offset, cluster);
    const start = this.#inCluster(offset);
    part.set(cluster.subarray(start, start + part.length));
    this.#unpacked.keep(host, cluster);
  }

  /** A whole cluster, unpacked now where its packed bytes need not be waited for. */
  #tryUnpack(host: number, hostLength: number, part: Uint8Array, offset: number): boolean {
    if (part.length !== this.#map.geometry.clusterSize || this.#unpacking.has(host)) return false;
    const length = this.#packedLength(host, hostLength);
    if (this.#packed.length < length) this.#packed = Buffer.allocUnsafeSlow(Math.max(length, part.length));
    const packed = this.#packed.subarray(0, length);
    if (!this.#file.tryRead(packed, host)) return false;
    this.#unpackFrom(packed, part, host, offset);
    return true;
  }

  async #unpack(host: number, hostLength: number, offset: number, into: Uint8Array): Promise<void> {
    const length = this.#packedLength(host, hostLength);
    const { spare } = this.#unpacked;
    const buffer = length <= spare.length ? spare.take() : Buffer.allocUnsafe(length);
    const packed = buffer.subarray(0, length);
    await this.#file.read(packed, host);
    this.#unpackFrom(packed, into, host, offset);
    spare.give(buffer);
  }

  /** The last sector may end past the end of the file, and a stream cut short there is found out when unpacked. */
  #packedLength(host: number, hostLength: number): number {
    return Math.max(0, Math.min(hostLength, this.#file.end - host));
  }

  #unpackFrom(packed: Uint8Array, into: Uint8Array, host: number, offset: number): void {
    try {
      decompressCluster(this.#compressionType, packed, into);
    } catch (error) {
      const where = `${this.#file.path}: compressed cluster at ${host}, guest offset ${offset}`;
      const reason = error instanceof Error ? error.message : String(error);
      throw new CalveError('corrupt', `${where}: ${reason}`, { cause: error });
    }
  }

  #inCluster(offset: number): number {
    const { clusterSize } = this.#map.geometry;
    return offset - Math.floor(offset / clusterSize) * clusterSize;
  }
}
