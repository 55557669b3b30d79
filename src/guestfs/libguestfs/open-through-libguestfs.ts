import type { FileSystemKind } from '../file-system-kind.ts';
import type { FileTree } from '../file-tree.ts';
import type { StartOptions } from './appliance.ts';
import { LibguestfsTree } from './libguestfs-tree.ts';
import type { SharedAppliance } from './shared-appliance.ts';

/** What libguestfs reads for us, and how it is mounted. A copy of an XFS beside the first has its UUID, which XFS takes amiss. */
const MOUNT_OPTIONS: Partial<Record<FileSystemKind, string>> = {
  xfs: 'ro,nouuid',
  btrfs: 'ro',
  ntfs: 'ro',
};

/** Whether a file system's files can be read where libguestfs is installed. */
export function isReadThroughLibguestfs(kind: FileSystemKind): boolean {
  return MOUNT_OPTIONS[kind] !== undefined;
}

/**
 * Opens a file system that libguestfs reads for us.
 *
 * @param part its number in the appliance
 * @throws CalveError `unsupported` where libguestfs is not installed; `io` when it does not start; `corrupt` when its kernel
 *   does not take the file system; `aborted`
 */
export async function openThroughLibguestfs(
  shared: SharedAppliance,
  part: number,
  kind: FileSystemKind,
  options: StartOptions,
): Promise<FileTree> {
  const held = await shared.hold(kind, options);
  try {
    const mountPoint = await held.appliance.mount(part, MOUNT_OPTIONS[kind] ?? 'ro');
    return await LibguestfsTree.open({ kind, held, mountPoint });
  } catch (error) {
    await held.release();
    throw error;
  }
}
