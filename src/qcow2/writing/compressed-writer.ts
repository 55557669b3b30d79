import { isZero } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import { BatchBuffers } from '../compression/batch-buffers.ts';
import type { ClusterBatch } from '../compression/cluster-batch.ts';
import { DEFAULT_LEVEL } from '../compression/compress-cluster.ts';
import { type CompressorPool, openCompressorPool } from '../compression/compressor-pool.ts';
import { Slots } from '../compression/slots.ts';
import type { ImageHeader } from '../image-header.ts';
import { compressedHigh, compressedLow } from '../table-entry.ts';
import { TaskGroup } from '../task-group.ts';
import { CompressedSpace } from './compressed-space.ts';
import { releaseEntry } from './release-entry.ts';
import type { WriterParts } from './writer-parts.ts';

/** Who writes the clusters that are not compressed. */
interface OtherWriters {
  readonly write: (from: Uint8Array, offset: number) => Promise<void>;
  readonly writeZeroes: (offset: number, length: number) => Promise<void>;
}

/** A compressed cluster and its place. */
interface Piece {
  /** Guest cluster, by number. */
  readonly cluster: number;
  readonly host: number;
  /** Where it begins in a batch's output. */
  readonly start: number;
  readonly length: number;
}

/** Batches under way: enough for every thread to have one waiting, and bounded, as each takes twice its bytes. */
const MOST_BATCHES = 8;

/**
 * Writes guest clusters compressed: always to new space, which the L2 entries name once the data is there, so that a
 * crash in between costs a leak. Compresses ahead of taking any lock.
 */
export class CompressedWriter {
  readonly #parts: WriterParts;
  readonly #header: ImageHeader;
  readonly #others: OtherWriters;
  readonly #space: CompressedSpace;
  readonly #slots = new Slots(MOST_BATCHES);
  readonly #buffers: BatchBuffers;
  #pool: Promise<CompressorPool> | undefined;

  constructor(parts: WriterParts, header: ImageHeader, others: OtherWriters) {
    this.#parts = parts;
    this.#header = header;
    this.#others = others;
    this.#buffers = new BatchBuffers(parts.geometry.clusterSize, true);
    this.#space = new CompressedSpace(parts.file, parts.geometry, parts.allocator);
  }

  /**
   * As Qcow2Disk.writeCompressed; the range was checked.
   * @throws CalveError `out-of-range`, `unsupported`
   */
  async write(from: Uint8Array, offset: number): Promise<void> {
    this.#checkImage();
    this.#checkWhole(offset, from.length);
    const { clusterSize, tableCovers } = this.#parts.geometry;
    const batchBytes = Math.min(this.#buffers.clusters * clusterSize, tableCovers);
    const end = offset + from.length;
    const batches = new TaskGroup();
    for (let at = offset; at < end; ) {
      const next = Math.min(end, (Math.floor(at / batchBytes) + 1) * batchBytes);
      const [start, part] = [at, from.subarray(at - offset, next - offset)];
      batches.add(this.#slots.run(() => this.#writeBatch(part, start)));
      at = next;
    }
    await batches.end();
  }

  /** Ends the threads. Nothing is being written any more. */
  async end(): Promise<void> {
    await (await this.#pool)?.close();
  }

  /** Compressed data is never encrypted: it would lie in the open among what is (as `qemu-img convert` has it). */
  #checkImage(): void {
    const { cryptMethod, incompatible } = this.#header.current;
    const encrypted = cryptMethod === 'none' ? undefined : 'in an encrypted image';
    const feature = incompatible.has('external data file') ? 'with an external data file' : encrypted;
    if (feature === undefined) return;
    const { path } = this.#parts.file;
    throw new CalveError('unsupported', `${path}: clusters cannot be compressed ${feature}`, {
      hint: 'write them uncompressed',
      data: { path },
    });
  }

  #checkWhole(offset: number, length: number): void {
    const { clusterSize, size } = this.#parts.geometry;
    const end = offset + length;
    if (offset % clusterSize === 0 && (end % clusterSize === 0 || end === size)) return;
    const { path } = this.#parts.file;
    const got = `${length} bytes at ${offset}`;
    throw new CalveError(
      'out-of-range',
      `${path}: expected whole clusters of ${clusterSize} bytes to compress, got ${got}`,
      { data: { path, offset, length, clusterSize } },
    );
  }

  /** A batch lies within one L2 table. */
  async #writeBatch(part: Uint8Array, offset: number): Promise<void> {
    const { clusterSize } = this.#parts.geometry;
    const clusters = Math.ceil(part.length / clusterSize);
    const { input, output } = this.#buffers.take();
    input.set(part);
    input.fill(0, part.length, clusters * clusterSize);
    const zeros = this.#zeroClusters(input.subarray(0, clusters * clusterSize));
    const chosen = zeros.flatMap((zero, index) => (zero ? [] : [index]));
    const batch: ClusterBatch = { input, output, chosen, lengths: [] };
    await (await this.#openPool()).compressBatch(batch);
    const first = offset / clusterSize;
    await this.#parts.locks.run(first, first + clusters, () => this.#place(batch, first));
    this.#buffers.give(batch);
    const plain = new Set(batch.chosen.filter((_, index) => batch.lengths[index] === 0));
    const writes = new TaskGroup();
    for (let index = 0; index < clusters; index += 1) {
      const [from, to] = [index * clusterSize, Math.min(part.length, (index + 1) * clusterSize)];
      if (zeros[index]) writes.add(this.#others.writeZeroes(offset + from, to - from));
      else if (plain.has(index)) writes.add(this.#others.write(part.subarray(from, to), offset + from));
    }
    await writes.end();
  }

  /** Which clusters become zero clusters: none in version 2 over a backing file, where only data hides what is below. */
  #zeroClusters(input: Uint8Array): boolean[] {
    const { geometry, namesBacking } = this.#parts;
    const { clusterSize, version } = geometry;
    const marks = version >= 3 || !namesBacking;
    return Array.from({ length: input.length / clusterSize }, (_, index) => {
      return marks && isZero(input.subarray(index * clusterSize, (index + 1) * clusterSize));
    });
  }

  #openPool(): Promise<CompressorPool> {
    const { compressionType } = this.#header.current;
    const compression = compressionType === 'zlib' ? 'deflate' : 'zstd';
    const { clusterSize } = this.#parts.geometry;
    this.#pool ??= openCompressorPool({ compression, level: DEFAULT_LEVEL[compression], clusterSize });
    return this.#pool;
  }

  /** Gives the compressed clusters of a batch their places. */
  async #place(batch: ClusterBatch, first: number): Promise<void> {
    const { mutex, makeRoom } = this.#parts;
    const pieces: Piece[] = [];
    try {
      await mutex.run(async () => {
        await makeRoom();
        await this.#takeSpace(batch, first, pieces);
      });
      await this.#store(pieces, batch.output);
      if (pieces.length > 0) await mutex.run(() => this.#link(pieces));
    } catch (error) {
      // What cannot be given back is a leak; the error that counts is the first.
      await mutex.run(() => this.#giveBack(pieces)).catch(() => undefined);
      throw error;
    }
  }

  async #takeSpace(batch: ClusterBatch, first: number, into: Piece[]): Promise<void> {
    let start = 0;
    for (const [index, length] of batch.lengths.entries()) {
      if (length === 0) continue;
      const host = await this.#space.take(length);
      const cluster = first + (batch.chosen[index] ?? 0);
      into.push({ cluster, host, start, length });
      start += length;
    }
  }

  /** Writes the data: what lies one behind the other at once. */
  async #store(pieces: readonly Piece[], data: Uint8Array): Promise<void> {
    const { file, metadata } = this.#parts;
    const runs: { host: number; start: number; end: number }[] = [];
    for (const { host, start, length } of pieces) {
      const last = runs.at(-1);
      if (last && host === last.host + last.end - last.start) last.end += length;
      else runs.push({ host, start, end: start + length });
    }
    const writes = new TaskGroup();
    for (const { host, start, end } of runs) {
      metadata.checkData(host, end - start);
      writes.add(file.write(data.subarray(start, end), host));
    }
    await writes.end();
  }

  /** Points the L2 entries at the data. */
  async #link(pieces: readonly Piece[]): Promise<void> {
    const { geometry, tables, frees, reader } = this.#parts;
    const { clusterBits, tableEntries, subclusters } = geometry;
    const index = Math.floor((pieces[0]?.cluster ?? 0) / tableEntries);
    const table = await tables.forWriting(index);
    for (const { cluster, host, length } of pieces) {
      const entry = cluster % tableEntries;
      reader.forgetUnpacked(host);
      releaseEntry(table, entry, geometry, frees, 'kept');
      table.set(entry, compressedHigh(host, length, clusterBits), compressedLow(host));
      if (subclusters > 1) table.setBits(entry, 0, 0);
    }
    tables.markDirty(table);
  }

  async #giveBack(pieces: readonly Piece[]): Promise<void> {
    for (const { host, length } of pieces) await this.#space.giveBack(host, length);
  }
}
