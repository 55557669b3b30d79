import { CalveError } from '../errors/index.ts';
import { chooseVolume, looksLikeARoot, severalFileSystems } from './choose-volume.ts';
import type { FileTree } from './file-tree.ts';
import type { GuestVolume, OpenVolumeOptions } from './guest-volume.ts';

/** A volume whose file system is open. */
export interface OpenedVolume {
  readonly volume: GuestVolume;
  readonly tree: FileTree;
}

/**
 * Opens the volume whose files are meant, as `chooseVolume` chooses; where it finds none that looks like a root among what is read
 * here, libguestfs is asked whether one of its own does.
 *
 * @param wanted as for `chooseVolume`
 * @throws CalveError as `chooseVolume`; what opening it throws
 */
export async function openChosenVolume(
  volumes: readonly GuestVolume[],
  wanted: string | undefined,
  options: OpenVolumeOptions = {},
): Promise<OpenedVolume> {
  let volume: GuestVolume;
  try {
    volume = await chooseVolume(volumes, wanted);
  } catch (error) {
    const others = volumes.filter(({ isReadable, isReadHere }) => isReadable && !isReadHere);
    if (wanted !== undefined || others.length === 0 || !CalveError.is(error, 'usage')) throw error;
    return openOnlyRoot(volumes, others, options);
  }
  return { volume, tree: await volume.open(options) };
}

async function openOnlyRoot(
  volumes: readonly GuestVolume[],
  others: readonly GuestVolume[],
  options: OpenVolumeOptions,
): Promise<OpenedVolume> {
  // Open until it is known which one is meant, so that all are read by one virtual machine.
  await using stack = new AsyncDisposableStack();
  const roots: OpenedVolume[] = [];
  for (const volume of others) {
    const tree = await openSound(volume, options);
    if (tree === undefined) continue;
    stack.use(tree);
    if (await looksLikeARoot(tree)) roots.push({ volume, tree });
  }
  const [root, ...more] = roots;
  if (root === undefined || more.length > 0) throw severalFileSystems(volumes);
  // Ahead of closing the others, so that the virtual machine stays.
  return { volume: root.volume, tree: await root.volume.open(options) };
}

/** A file system that cannot be read is no candidate; whoever names it learns why. */
async function openSound(volume: GuestVolume, options: OpenVolumeOptions): Promise<FileTree | undefined> {
  try {
    return await volume.open(options);
  } catch (error) {
    if (CalveError.is(error, 'corrupt')) return undefined;
    throw error;
  }
}
