import type { Disk } from '../../disk/index.ts';
import { clusterOffset, type FatLayout } from './boot-sector.ts';
import { ClusterWalk } from './cluster-walk.ts';
import { corrupt } from './corrupt.ts';
import { describe, type FatInode, ROOT } from './fat-inode.ts';
import type { FatTable } from './fat-table.ts';

/** Linux and the specification let no directory have more than 65,536 entries. */
export const LARGEST_DIRECTORY: number = 65_536 * 32;

/** A part of a directory that lies in one piece. */
export interface DirectoryPiece {
  /** Bytes from the start of the directory. */
  readonly from: number;
  /** Bytes from the start of the file system. */
  readonly offset: number;
  readonly length: number;
}

/** Where a directory lies, in order. */
export async function directoryPieces(
  layout: FatLayout,
  table: FatTable,
  directory: FatInode,
): Promise<DirectoryPiece[]> {
  if (directory.number === ROOT && layout.root !== null) return [{ from: 0, ...layout.root }];
  const where = describe(directory);
  const { clusterSize } = layout;
  const walk = new ClusterWalk(table, directory.cluster, where);
  const pieces: DirectoryPiece[] = [];
  const most = Math.ceil(LARGEST_DIRECTORY / clusterSize);
  do {
    const { first, cluster, count } = await walk.run(most);
    if (first + count > most)
      throw corrupt(where, `more than the ${LARGEST_DIRECTORY} bytes that a directory may have`);
    pieces.push({
      from: first * clusterSize,
      offset: clusterOffset(layout, cluster),
      length: count * clusterSize,
    });
  } while (await walk.advance());
  return pieces;
}

/** The bytes of a directory. */
export async function directoryContent(disk: Disk, pieces: readonly DirectoryPiece[]): Promise<Buffer> {
  const content = Buffer.allocUnsafe(pieces.reduce((total, { length }) => total + length, 0));
  for (const { from, offset, length } of pieces) {
    const piece = content.subarray(from, from + length);
    if (disk.tryRead?.(piece, offset) !== true) await disk.read(piece, offset);
  }
  return content;
}

/** Where a byte of a directory lies, in bytes from the start of the file system. */
export function placeIn(pieces: readonly DirectoryPiece[], at: number): number {
  let low = 0;
  for (let high = pieces.length - 1; low < high; ) {
    const middle = Math.ceil((low + high) / 2);
    if ((pieces[middle]?.from ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  const piece = pieces[low];
  return (piece?.offset ?? 0) + at - (piece?.from ?? 0);
}

/** Whether an entry may stand at this byte of the file system. */
export function mayHoldEntries(
  { root, dataOffset, clusters, clusterSize }: FatLayout,
  offset: number,
): boolean {
  const inRoot = root !== null && offset >= root.offset && offset < root.offset + root.length;
  return inRoot || (offset >= dataOffset && offset < dataOffset + clusters * clusterSize);
}
