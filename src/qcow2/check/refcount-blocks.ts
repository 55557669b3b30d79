import { ENTRY_SIZE } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { CheckGeometry } from './check-geometry.ts';
import type { FindingLog } from './finding-log.ts';
import { readPieces } from './read-pieces.ts';

/** Section "Refcount table entry": bits 0 to 8, in the low half. */
const RESERVED_LOW = 0x1ff;
/** No file of QEMU's is longer than 2^63 - 2^30 bytes: what should lie behind cannot be read, not even as zeros. */
const LONGEST_FILE = { high: 0x7fff_ffff, low: 0xc000_0000 };
const RESERVED = 1;
const UNALIGNED = 2;
const UNADDRESSABLE = 4;

/** What can be said of the block of a refcount table entry. Only blocks of the first two kinds are counted on. */
export type BlockState = 'none' | 'sound' | 'reserved bits' | 'unaligned' | 'past end';

/** The refcount table, whole: where the refcount blocks lie. */
export class RefcountBlocks {
  /** Host offsets, 0 where there is no block; those past 2^53 are not exact, and lie in no file. */
  readonly offsets: Float64Array;
  readonly #geometry: CheckGeometry;
  /** Of each entry, whether reserved bits are set, and whether the offset is no multiple of a cluster, or no file reaches. */
  readonly #flaws: Uint8Array;

  constructor(offsets: Float64Array, flaws: Uint8Array, geometry: CheckGeometry) {
    this.offsets = offsets;
    this.#flaws = flaws;
    this.#geometry = geometry;
  }

  state(index: number): BlockState {
    const offset = this.offsets[index] ?? 0;
    const flaws = this.#flaws[index] ?? 0;
    if ((flaws & RESERVED) !== 0) return 'reserved bits';
    if ((flaws & UNALIGNED) !== 0) return 'unaligned';
    if (offset === 0) return 'none';
    return offset >= this.#geometry.fileEnd ? 'past end' : 'sound';
  }

  /** Whether refcounts can be read: where there is no block they are 0, and so they are behind the end of the file. */
  isReadable(index: number): boolean {
    return ((this.#flaws[index] ?? 0) & (UNALIGNED | UNADDRESSABLE)) === 0;
  }

  /** Whether the refcount of a cluster can be read. */
  knows(cluster: number): boolean {
    return this.isReadable(Math.floor(cluster / this.#geometry.blockEntries));
  }
}

/** Whether a file may be so long that a cluster at this offset lies in it. */
function isAddressable(high: number, low: number, clusterSize: number): boolean {
  if (high !== LONGEST_FILE.high) return high < LONGEST_FILE.high;
  return (low >>> 0) + clusterSize <= LONGEST_FILE.low;
}

/** Reads the refcount table, and tells what is wrong with its entries. */
export async function readRefcountBlocks(
  file: ImageFile,
  header: Qcow2Header,
  geometry: CheckGeometry,
  log: FindingLog,
): Promise<RefcountBlocks> {
  const { refcountTableOffset, refcountTableClusters, clusterSize } = header;
  const length = refcountTableClusters * clusterSize;
  const offsets = new Float64Array(length / ENTRY_SIZE);
  const flaws = new Uint8Array(offsets.length);
  let index = 0;
  for await (const { bytes } of readPieces(file, refcountTableOffset, length)) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += ENTRY_SIZE) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      offsets[index] = high * 2 ** 32 + ((low & ~RESERVED_LOW) >>> 0);
      flaws[index] =
        ((low & RESERVED_LOW) === 0 ? 0 : RESERVED) |
        ((low & (clusterSize - RESERVED_LOW - 1)) === 0 ? 0 : UNALIGNED) |
        (isAddressable(high, low & ~RESERVED_LOW, clusterSize) ? 0 : UNADDRESSABLE);
      index += 1;
    }
  }
  const blocks = new RefcountBlocks(offsets, flaws, geometry);
  offsets.forEach((offset, entry) => {
    const hostOffset = refcountTableOffset + entry * ENTRY_SIZE;
    const place = { hostOffset, structure: 'refcount table' as const };
    const got = `${offset}`;
    switch (blocks.state(entry)) {
      case 'reserved bits':
        log.add('refcount-table-reserved-bits', 1, () => ({ ...place, expected: 'bits 0 to 8 clear', got }));
        break;
      case 'unaligned':
        log.add('refcount-block-unaligned', 1, () => {
          return { ...place, expected: `a block at a multiple of ${clusterSize}`, got };
        });
        break;
      case 'past end':
        log.add('refcount-block-past-end', 1, () => {
          return { ...place, expected: `a block within ${geometry.fileEnd} bytes`, got };
        });
        break;
    }
  });
  return blocks;
}
