import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES } from '../constants.ts';
import type { LayerGeometry } from './layer-options.ts';

/** The width of a layer's refcounts. */
export const REFCOUNT_BITS = 16;
/** Bytes of a refcount. */
export const REFCOUNT_SIZE: number = REFCOUNT_BITS / 8;

const SECTOR = 512;

/** How much a layer has to hold. */
export interface LayerContent {
  /** L2 tables. */
  readonly tables: number;
  /** Plain clusters. */
  readonly plainClusters: number;
  /** Compressed bytes, gaps between them included. */
  readonly compressedLength: number;
}

/** Where each part of a layer's file begins, in this order, without gaps. Offsets are bytes. */
export interface LayerLayout {
  /** Follows the header's cluster. */
  readonly l1Offset: number;
  readonly tablesOffset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly refcountBlocksOffset: number;
  readonly refcountBlocks: number;
  /** Where metadata ends. */
  readonly plainOffset: number;
  readonly compressedOffset: number;
  /** Whole sectors, because a compressed cluster's entry speaks of sectors; whole clusters without any. */
  readonly fileSize: number;
  /** Host clusters, of which the last one may be cut short. */
  readonly clusters: number;
}

/**
 * Lays out a layer's file: header, L1 table, L2 tables, refcount table, refcount blocks, plain clusters, compressed
 * bytes.
 *
 * @throws CalveError `out-of-range` when the file would be larger than its cluster size allows
 */
export function layOutLayer(
  { clusterSize, clusterBits, l1Size }: LayerGeometry,
  content: LayerContent,
): LayerLayout {
  const l1Clusters = Math.ceil((l1Size * ENTRY_SIZE) / clusterSize);
  const compressedClusters = Math.ceil(content.compressedLength / clusterSize);
  const others = 1 + l1Clusters + content.tables + content.plainClusters + compressedClusters;
  const { refcountTableClusters, refcountBlocks } = measureRefcounts(others, clusterSize);
  const tablesOffset = (1 + l1Clusters) * clusterSize;
  const refcountTableOffset = tablesOffset + content.tables * clusterSize;
  const refcountBlocksOffset = refcountTableOffset + refcountTableClusters * clusterSize;
  const plainOffset = refcountBlocksOffset + refcountBlocks * clusterSize;
  const compressedOffset = plainOffset + content.plainClusters * clusterSize;
  const fileSize = compressedOffset + Math.ceil(content.compressedLength / SECTOR) * SECTOR;
  const largest = largestFile(clusterBits);
  if (
    fileSize > largest ||
    refcountTableClusters * clusterSize > Math.max(MAX_REFCOUNT_TABLE_BYTES, clusterSize)
  ) {
    throw new CalveError(
      'out-of-range',
      `a layer with clusters of ${clusterSize} bytes cannot be a file of ${fileSize} bytes`,
      { hint: 'larger clusters allow a larger file' },
    );
  }
  return {
    l1Offset: clusterSize,
    tablesOffset,
    refcountTableOffset,
    refcountTableClusters,
    refcountBlocksOffset,
    refcountBlocks,
    plainOffset,
    compressedOffset,
    fileSize,
    clusters: others + refcountTableClusters + refcountBlocks,
  };
}

/** The offset in a compressed cluster's entry has 70 - cluster_bits bits; no offset passes 2^53. */
function largestFile(clusterBits: number): number {
  return Math.min(2 ** (70 - clusterBits), Number.MAX_SAFE_INTEGER);
}

/** Refcount blocks and table count themselves too: each step makes room for what the one before has added. */
function measureRefcounts(
  others: number,
  clusterSize: number,
): { refcountTableClusters: number; refcountBlocks: number } {
  let refcountTableClusters = 0;
  let refcountBlocks = 0;
  for (let clusters = others; ; ) {
    refcountBlocks = Math.ceil((clusters * REFCOUNT_SIZE) / clusterSize);
    refcountTableClusters = Math.ceil((refcountBlocks * ENTRY_SIZE) / clusterSize);
    const grown = others + refcountBlocks + refcountTableClusters;
    if (grown === clusters) return { refcountTableClusters, refcountBlocks };
    clusters = grown;
  }
}
