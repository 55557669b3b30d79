import { openRawDisk } from '../../src/disk/index.ts';
import { chooseVolume, type FileTree, listVolumes } from '../../src/guestfs/index.ts';

/** Opens the file system in a raw image for the time of the action. */
export async function withGuestImage<Result>(
  image: string,
  action: (tree: FileTree) => Promise<Result>,
): Promise<Result> {
  await using disk = await openRawDisk(image);
  const volume = await chooseVolume(await listVolumes(disk));
  await using tree = await volume.open();
  return await action(tree);
}
