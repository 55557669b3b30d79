import type { LayerGeometry } from './layer-options.ts';
import { decodeRecord, encodeRecord, type LayerRecord, RECORD_LENGTH } from './layer-record.ts';
import { NumberList } from './number-list.ts';
import { StagedStream } from './staged-stream.ts';

/** The largest refcount of 16 bits. */
const MAX_REFCOUNT = 65_535;
const RECORDS_AT_A_TIME = 2 ** 14;

/**
 * A layer that is being put together: its clusters' data, and a record of each guest cluster, in guest order.
 *
 * Plain clusters and compressed ones are staged apart, because in the file the one follow the other and metadata
 * comes ahead of both. Refcounts are known from the start all the same: plain data begins on a cluster boundary and
 * so does compressed data, so which bytes share a host cluster does not depend on what is in front.
 *
 * Memory is bounded but for two bytes a host cluster, four an L2 table, and twelve a content that may come again.
 */
export class StagedLayer implements AsyncDisposable {
  readonly plain: StagedStream;
  readonly compressed: StagedStream;
  /** Refcounts of the plain clusters, and of the host clusters that the compressed bytes fill. */
  readonly plainCounts: NumberList = new NumberList(Uint16Array);
  readonly compressedCounts: NumberList = new NumberList(Uint16Array);
  /** The L1 indices that have an L2 table, in order. */
  readonly tables: NumberList = new NumberList(Uint32Array);
  dataClusters = 0;
  zeroClusters = 0;
  sharedClusters = 0;
  readonly #clusterSize: number;
  readonly #tableEntries: number;
  readonly #rememberedContents: number;
  readonly #records: StagedStream;
  readonly #record = new DataView(new ArrayBuffer(RECORD_LENGTH));
  readonly #places = new NumberList(Float64Array);
  readonly #lengths = new NumberList(Uint32Array);

  /**
   * @param target the path of the file that the layer will be in
   * @param rememberedContents how many contents, the first ones, may be referred to again
   */
  constructor(target: string, { clusterSize, tableEntries }: LayerGeometry, rememberedContents: number) {
    this.#clusterSize = clusterSize;
    this.#tableEntries = tableEntries;
    this.#rememberedContents = rememberedContents;
    this.plain = new StagedStream(target);
    this.compressed = new StagedStream(target);
    this.#records = new StagedStream(target, RECORDS_AT_A_TIME * RECORD_LENGTH);
  }

  /** Adds a guest cluster that reads zeros. */
  async addZero(guest: number): Promise<void> {
    this.zeroClusters += 1;
    await this.#addRecord({ guest, kind: 'zero', place: 0, length: 0 });
  }

  /**
   * Adds a guest cluster of a content that was not there before; contents are numbered as they come.
   * @param bytes the cluster, or its compressed bytes, which are fewer
   */
  async addNew(guest: number, bytes: Uint8Array): Promise<void> {
    this.dataClusters += 1;
    const record = await this.#place(guest, bytes);
    if (this.#places.length >= this.#rememberedContents) return;
    this.#places.push(record.place);
    this.#lengths.push(record.length);
  }

  /** Adds a guest cluster of a content that an earlier one has. */
  async addShared(guest: number, content: number): Promise<void> {
    this.dataClusters += 1;
    const place = this.#places.get(content);
    const length = this.#lengths.get(content);
    if (this.#tryRefer(place, length)) {
      this.sharedClusters += 1;
      await this.#addRecord({ guest, kind: length === 0 ? 'plain' : 'compressed', place, length });
      return;
    }
    // No refcount can grow further: the data is placed once more, and later clusters refer to that.
    const bytes = new Uint8Array(length === 0 ? this.#clusterSize : length);
    if (length === 0) await this.plain.read(bytes, place * this.#clusterSize);
    else await this.compressed.read(bytes, place);
    const record = await this.#place(guest, bytes);
    this.#places.set(content, record.place);
  }

  /** All records, in guest order. */
  async *records(): AsyncGenerator<LayerRecord> {
    for await (const piece of this.#records.pieces()) {
      const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
      for (let at = 0; at < piece.length; at += RECORD_LENGTH) yield decodeRecord(view, at);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.plain.close(), this.compressed.close(), this.#records.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #place(guest: number, bytes: Uint8Array): Promise<LayerRecord> {
    const record =
      bytes.length < this.#clusterSize
        ? await this.#compressedRecord(guest, bytes)
        : this.#plainRecord(guest);
    await (record.kind === 'plain' ? this.plain : this.compressed).append(bytes);
    await this.#addRecord(record);
    return record;
  }

  #plainRecord(guest: number): LayerRecord {
    this.plainCounts.push(1);
    return { guest, kind: 'plain', place: this.plainCounts.length - 1, length: 0 };
  }

  /** Right behind the bytes before, unless those fill a host cluster whose refcount cannot grow. */
  async #compressedRecord(guest: number, { length }: Uint8Array): Promise<LayerRecord> {
    const { first } = this.#hostsOf(this.compressed.length, length);
    if (first < this.compressedCounts.length && this.compressedCounts.get(first) === MAX_REFCOUNT) {
      await this.compressed.appendZeros((first + 1) * this.#clusterSize - this.compressed.length);
    }
    const place = this.compressed.length;
    const hosts = this.#hostsOf(place, length);
    while (this.compressedCounts.length <= hosts.last) this.compressedCounts.push(0);
    this.#tryRefer(place, length);
    return { guest, kind: 'compressed', place, length };
  }

  /** Counts one reference more, or leaves all counts as they are if one of them cannot grow. */
  #tryRefer(place: number, length: number): boolean {
    const counts = length === 0 ? this.plainCounts : this.compressedCounts;
    const { first, last } = length === 0 ? { first: place, last: place } : this.#hostsOf(place, length);
    for (let host = first; host <= last; host += 1) if (counts.get(host) === MAX_REFCOUNT) return false;
    for (let host = first; host <= last; host += 1) counts.set(host, counts.get(host) + 1);
    return true;
  }

  /**
   * The host clusters that an entry for these bytes spans. Its whole sectors span no more than the bytes do, because
   * clusters are made of whole sectors.
   */
  #hostsOf(place: number, length: number): { first: number; last: number } {
    return {
      first: Math.floor(place / this.#clusterSize),
      last: Math.floor((place + length - 1) / this.#clusterSize),
    };
  }

  async #addRecord(record: LayerRecord): Promise<void> {
    const table = Math.floor(record.guest / this.#tableEntries);
    if (this.tables.length === 0 || this.tables.get(this.tables.length - 1) !== table)
      this.tables.push(table);
    encodeRecord(this.#record, record);
    await this.#records.append(new Uint8Array(this.#record.buffer));
  }
}
