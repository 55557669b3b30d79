import type { Disk } from '../../disk/index.ts';
import type { FileTree } from '../file-tree.ts';
import { IsoTree } from './iso-tree.ts';
import { readVolumes } from './volume-descriptors.ts';

/**
 * Opens an ISO 9660 image for reading: the tree with Rock Ridge, else Joliet's, else the plain one, as Linux chooses.
 *
 * @param disk the image; stays open
 * @param diskOffset where it begins on the whole disk, in bytes
 * @throws CalveError `invalid` when it is none, `corrupt`
 */
export async function openIso(disk: Disk, diskOffset: number): Promise<FileTree> {
  const { primary, joliet } = await readVolumes(disk);
  const tree = await IsoTree.open({ disk, diskOffset, volume: primary });
  if (tree.hasRockRidge || joliet === null) return tree;
  await tree.close();
  return IsoTree.open({ disk, diskOffset, volume: joliet });
}
