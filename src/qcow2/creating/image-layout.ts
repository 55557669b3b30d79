import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES } from '../constants.ts';
import type { SettledOptions } from './image-options.ts';

/** Where the structures of a new image lie: offsets and lengths in bytes, each at the start of a cluster. */
export interface ImageLayout {
  /** The file's length. Without guest clusters it ends with the L1 table, inside the last cluster, as QEMU's does. */
  readonly length: number;
  /** Clusters in use, of which there are no others before the last one. */
  readonly clusters: number;
  readonly refcountTableClusters: number;
  readonly refcountBlocks: number;
  readonly luksOffset: number;
  /** 0 when there is no L1 table. */
  readonly l1Offset: number;
  /** L2 tables, which exist when guest clusters have their places. */
  readonly l2Offset: number;
  readonly l2Tables: number;
  /** Guest clusters that have their places. */
  readonly guestClusters: number;
  /** Where the first of them lies, in this file or in the data file. */
  readonly guestOffset: number;
}

/**
 * Lays out a new image: header, refcount table, refcount blocks, then what there is of LUKS header, L1 table, L2
 * tables and guest clusters. Everything lies in one piece (trap 30).
 * @param luksLength bytes of the LUKS header with its key material; 0 when there is none
 * @throws CalveError `out-of-range` when no refcount table counts so many clusters
 */
export function layOutImage(options: SettledOptions, luksLength: number): ImageLayout {
  const { size, clusterSize, refcountBits, l1Size, preallocation, dataFile } = options;
  const luksClusters = Math.ceil(luksLength / clusterSize);
  const l1Clusters = Math.ceil((l1Size * ENTRY_SIZE) / clusterSize);
  const guestClusters = preallocation === 'off' ? 0 : Math.ceil(size / clusterSize);
  const l2Tables = preallocation === 'off' ? 0 : l1Size;
  const inFile = dataFile === undefined ? guestClusters : 0;
  const others = 1 + luksClusters + l1Clusters + l2Tables + inFile;
  const { tableClusters, blocks, clusters } = measureRefcounts(others, clusterSize, refcountBits);
  if (tableClusters * clusterSize > Math.max(MAX_REFCOUNT_TABLE_BYTES, clusterSize)) {
    const got = `${preallocation} for ${size} bytes in clusters of ${clusterSize}`;
    throw new CalveError(
      'out-of-range',
      `preallocation: expected clusters that a refcount table of ${MAX_REFCOUNT_TABLE_BYTES} bytes counts, got ${got}`,
      { data: { option: 'preallocation', value: preallocation } },
    );
  }
  const luksOffset = (1 + tableClusters + blocks) * clusterSize;
  const l1Offset = luksOffset + luksClusters * clusterSize;
  const l2Offset = l1Offset + l1Clusters * clusterSize;
  const endsWithL1 = l1Size > 0 && l2Tables === 0;
  return {
    length: endsWithL1 ? l1Offset + l1Size * ENTRY_SIZE : clusters * clusterSize,
    clusters,
    refcountTableClusters: tableClusters,
    refcountBlocks: blocks,
    luksOffset,
    l1Offset: l1Size === 0 ? 0 : l1Offset,
    l2Offset,
    l2Tables,
    guestClusters,
    guestOffset: dataFile === undefined ? l2Offset + l2Tables * clusterSize : 0,
  };
}

/** The refcount structures count themselves, so their number is found by trying. */
function measureRefcounts(
  others: number,
  clusterSize: number,
  refcountBits: number,
): { tableClusters: number; blocks: number; clusters: number } {
  const blockEntries = (clusterSize * 8) / refcountBits;
  let blocks = 1;
  let tableClusters = 1;
  while (true) {
    const clusters = others + tableClusters + blocks;
    const neededBlocks = Math.ceil(clusters / blockEntries);
    const neededTableClusters = Math.ceil((neededBlocks * ENTRY_SIZE) / clusterSize);
    if (neededBlocks === blocks && neededTableClusters === tableClusters) {
      return { tableClusters, blocks, clusters };
    }
    blocks = neededBlocks;
    tableClusters = neededTableClusters;
  }
}
