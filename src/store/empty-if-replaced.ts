import { type HostFile, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';

/**
 * Empties an env's overlay where another has come in its place: a QEMU that opened the path just before that, and gets
 * its lock just after ours is gone, must find no image rather than write into a file that nobody will see again.
 *
 * @param file the overlay as it was opened and locked
 */
export async function emptyIfReplaced(context: StoreContext, name: string, file: HostFile): Promise<void> {
  const there = statFile(context.layout.overlay(name));
  if (there !== undefined && there.inode !== file.stat().inode) await file.truncate(0);
}
