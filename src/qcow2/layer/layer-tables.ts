import { ENTRY_SIZE } from '../constants.ts';
import { compressedHigh, compressedLow, entryHigh, entryLow, ZERO } from '../table-entry.ts';
import { type LayerLayout, REFCOUNT_SIZE } from './layer-layout.ts';
import type { LayerGeometry } from './layer-options.ts';
import type { LayerRecord } from './layer-record.ts';
import type { NumberList } from './number-list.ts';

/** What the tables of a layer are made from. */
export interface TableParts {
  readonly geometry: LayerGeometry;
  readonly layout: LayerLayout;
  /** The L1 indices that have an L2 table, in order. */
  readonly tables: NumberList;
  /** Refcounts of the plain clusters, and of the host clusters that hold compressed bytes. */
  readonly plainCounts: NumberList;
  readonly compressedCounts: NumberList;
}

/** The L1 table, a cluster at a time. Each L2 table has one reference, so COPIED is set (specification, "L1 table"). */
export function* l1Clusters({ geometry, layout, tables }: TableParts): Generator<Uint8Array> {
  const { clusterSize, tableEntries, l1Size } = geometry;
  let table = 0;
  for (let start = 0; start < l1Size; start += tableEntries) {
    const view = new DataView(new ArrayBuffer(clusterSize));
    for (; table < tables.length && tables.get(table) < start + tableEntries; table += 1) {
      const at = (tables.get(table) - start) * ENTRY_SIZE;
      const offset = layout.tablesOffset + table * clusterSize;
      view.setUint32(at, entryHigh(offset, true));
      view.setUint32(at + 4, entryLow(offset));
    }
    yield new Uint8Array(view.buffer);
  }
}

/** The L2 tables, one cluster each, in guest order; valid until the next one is asked for. */
export async function* l2Tables(
  records: AsyncIterable<LayerRecord>,
  parts: TableParts,
): AsyncGenerator<Uint8Array> {
  const { clusterSize, tableEntries } = parts.geometry;
  const bytes = new Uint8Array(clusterSize);
  const view = new DataView(bytes.buffer);
  let table: number | undefined;
  for await (const record of records) {
    const of = Math.floor(record.guest / tableEntries);
    if (table !== undefined && table !== of) {
      yield bytes;
      bytes.fill(0);
    }
    table = of;
    putEntry(view, (record.guest - of * tableEntries) * ENTRY_SIZE, record, parts);
  }
  if (table !== undefined) yield bytes;
}

/** Specification, "L2 table entry": COPIED says that the refcount is one, and is never set on a compressed cluster. */
function putEntry(
  view: DataView,
  at: number,
  { kind, place, length }: LayerRecord,
  { geometry, layout, plainCounts }: TableParts,
): void {
  if (kind === 'zero') {
    view.setUint32(at + 4, ZERO);
  } else if (kind === 'plain') {
    const offset = layout.plainOffset + place * geometry.clusterSize;
    view.setUint32(at, entryHigh(offset, plainCounts.get(place) === 1));
    view.setUint32(at + 4, entryLow(offset));
  } else {
    const offset = layout.compressedOffset + place;
    view.setUint32(at, compressedHigh(offset, length, geometry.clusterBits));
    view.setUint32(at + 4, compressedLow(offset));
  }
}

/** The refcount table, a cluster at a time (specification, "Host cluster management"). */
export function* refcountTableClusters({ geometry, layout }: TableParts): Generator<Uint8Array> {
  const { clusterSize, tableEntries } = geometry;
  for (let start = 0; start < layout.refcountBlocks; start += tableEntries) {
    const view = new DataView(new ArrayBuffer(clusterSize));
    const end = Math.min(start + tableEntries, layout.refcountBlocks);
    for (let block = start; block < end; block += 1) {
      const offset = layout.refcountBlocksOffset + block * clusterSize;
      view.setUint32((block - start) * ENTRY_SIZE, entryHigh(offset, false));
      view.setUint32((block - start) * ENTRY_SIZE + 4, entryLow(offset));
    }
    yield new Uint8Array(view.buffer);
  }
}

/** The refcount blocks, one cluster each, which count every cluster of the file and nothing past its end. */
export function* refcountBlocks(parts: TableParts): Generator<Uint8Array> {
  const { geometry, layout, plainCounts, compressedCounts } = parts;
  const firstPlain = layout.plainOffset / geometry.clusterSize;
  const firstCompressed = layout.compressedOffset / geometry.clusterSize;
  const entries = geometry.clusterSize / REFCOUNT_SIZE;
  for (let start = 0; start < layout.clusters; start += entries) {
    const view = new DataView(new ArrayBuffer(geometry.clusterSize));
    const end = Math.min(start + entries, layout.clusters);
    for (let cluster = start; cluster < end; cluster += 1) {
      let count = 1;
      if (cluster >= firstCompressed) count = compressedCounts.get(cluster - firstCompressed);
      else if (cluster >= firstPlain) count = plainCounts.get(cluster - firstPlain);
      view.setUint16((cluster - start) * REFCOUNT_SIZE, count);
    }
    yield new Uint8Array(view.buffer);
  }
}
