import { ENTRY_SIZE } from './constants.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** The measures that follow from a header and never change while the image is open. Sizes are bytes. */
export interface Geometry {
  readonly version: 2 | 3;
  /** The virtual disk's bytes. */
  readonly size: number;
  readonly clusterBits: number;
  readonly clusterSize: number;
  /** Guest bytes that one L2 table maps. */
  readonly tableCovers: number;
  /** Width of a refcount. */
  readonly refcountBits: number;
  /** Refcounts in a refcount block, which is one cluster. */
  readonly blockEntries: number;
}

/** The measures of an image with plain L2 entries. */
export function geometryOf(header: Qcow2Header): Geometry {
  const { version, size, clusterBits, clusterSize, refcountBits } = header;
  return {
    version,
    size,
    clusterBits,
    clusterSize,
    tableCovers: (clusterSize / ENTRY_SIZE) * clusterSize,
    refcountBits,
    blockEntries: (clusterSize * 8) / refcountBits,
  };
}
