import { ENTRY_SIZE } from '../constants.ts';
import { writeRefcount } from '../refcount-entry.ts';
import { entryHigh, entryLow, ZERO } from '../table-entry.ts';
import type { ImageLayout } from './image-layout.ts';
import type { SettledOptions } from './image-options.ts';

/** A part of a new image's file, which is zeros elsewhere. Offset in bytes. */
export interface ImagePart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Bytes made at once of what grows with the disk. */
const PIECE = 1024 * 1024;
/** "Extended L2 Entries": every subcluster has its data in the host cluster. */
const ALL_SUBCLUSTERS = 0xffff_ffff;

/** The refcount structures, and the L1 and L2 tables that are not empty, in the order of the file and a piece at a time. */
export function* imageParts(options: SettledOptions, layout: ImageLayout): Generator<ImagePart> {
  const { clusterSize, refcountBits } = options;
  const { refcountTableClusters, refcountBlocks, l1Offset, l2Offset, l2Tables } = layout;
  const firstBlock = (1 + refcountTableClusters) * clusterSize;
  yield* pieces(clusterSize, refcountBlocks, ENTRY_SIZE, (view, at, index) => {
    putEntry(view, at, firstBlock + index * clusterSize, false);
  });
  yield* counts(firstBlock, layout.clusters, refcountBits);
  if (l2Tables === 0) return;
  yield* pieces(l1Offset, l2Tables, ENTRY_SIZE, (view, at, index) => {
    putEntry(view, at, l2Offset + index * clusterSize, true);
  });
  yield* guestEntries(options, layout);
}

/** The tables lie one after the other, so that their entries do too. */
function guestEntries(options: SettledOptions, layout: ImageLayout): Generator<ImagePart> {
  const { clusterSize, entryBytes, encryption, dataFileRaw = false } = options;
  const { l2Offset, guestClusters, guestOffset } = layout;
  const extended = entryBytes > ENTRY_SIZE;
  const encrypted = encryption !== undefined;
  // Under a cipher zeros in the file are no zeros of the guest's. Extended entries map no subcluster yet, which says it.
  const flag = encrypted && !extended ? ZERO : 0;
  return pieces(l2Offset, guestClusters, entryBytes, (view, at, index) => {
    putEntry(view, at, guestOffset + index * clusterSize, true, flag);
    // A raw data file is read by those who know of no tables: these must say what it says.
    if (extended && dataFileRaw && !encrypted) view.setUint32(at + ENTRY_SIZE + 4, ALL_SUBCLUSTERS);
  });
}

/** A one for each cluster. The blocks lie one after the other, so that their counts do too. */
function* counts(offset: number, clusters: number, bits: number): Generator<ImagePart> {
  const whole = (PIECE * 8) / bits;
  const encode = (count: number): Uint8Array => {
    const bytes = new Uint8Array(Math.ceil((count * bits) / 8));
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index += 1) writeRefcount(view, index, bits, 1);
    return bytes;
  };
  const repeated = clusters > whole ? encode(whole) : undefined;
  for (let from = 0; from < clusters; from += whole) {
    const left = clusters - from;
    const bytes = repeated && left >= whole ? repeated : encode(left);
    yield { offset: offset + (from * bits) / 8, bytes };
  }
}

/** `count` entries from `offset` on. */
function* pieces(
  offset: number,
  count: number,
  entryBytes: number,
  put: (view: DataView, at: number, index: number) => void,
): Generator<ImagePart> {
  const most = PIECE / entryBytes;
  for (let from = 0; from < count; from += most) {
    const bytes = new Uint8Array(Math.min(most, count - from) * entryBytes);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length; at += entryBytes) put(view, at, from + at / entryBytes);
    yield { offset: offset + from * entryBytes, bytes };
  }
}

function putEntry(view: DataView, at: number, offset: number, copied: boolean, flag = 0): void {
  view.setUint32(at, entryHigh(offset, copied));
  view.setUint32(at + 4, (entryLow(offset) | flag) >>> 0);
}
