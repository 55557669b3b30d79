import { hasExtFileSystem, writeExtFile } from '../../guestfs/index.ts';
import type { Store } from '../../store/index.ts';

const FILE = '/calve-was-here.txt';
const TEXT = 'Written inside a disposable environment, not in its base.\n';

/**
 * Changes an environment's disk as a guest would: a file in its file system where that is ext4, else a few bytes in
 * the middle. Returns what was done, in words.
 */
export async function changeInside(store: Store, env: string): Promise<string> {
  await using disk = await store.envs.openDisk(env, { writable: true });
  if (await hasExtFileSystem(disk)) {
    await writeExtFile(disk, FILE, Buffer.from(TEXT));
    return `the file ${FILE} in its ext4 file system.`;
  }
  const offset = Math.floor(disk.size / 2 / 512) * 512;
  await disk.write(Buffer.from(TEXT), offset);
  await disk.flush();
  return `${TEXT.length} bytes at ${offset}, for no ext4 file system begins at the disk's first byte.`;
}
