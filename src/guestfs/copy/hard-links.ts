import { CalveError } from '../../errors/index.ts';
import type { HostFolder } from '../../host/index.ts';
import type { Inode } from '../inode.ts';

/** Files with several names that are remembered at a time; further ones are copied once for each name. */
const MOST_KEPT = 200_000;

/** The files with several names that were copied, so that the copy has them once too. */
export class HardLinks {
  /** By inode: where it lies in the copy, and how many names are still to come. */
  readonly #copied = new Map<number, { readonly names: readonly Buffer[]; left: number }>();

  /** @param names the way to it, from the top of the copy on */
  note(inode: Inode, names: readonly Buffer[]): void {
    if (inode.links < 2 || this.#copied.size >= MOST_KEPT) return;
    this.#copied.set(inode.number, { names: [...names], left: inode.links - 1 });
  }

  /**
   * Gives a file that was copied before another name. False where it was not, or cannot be: then it is copied.
   * @param top of the copy
   */
  link(inode: Inode, top: HostFolder, folder: HostFolder, name: Buffer): boolean {
    const copied = this.#copied.get(inode.number);
    if (copied === undefined) return false;
    copied.left -= 1;
    if (copied.left === 0) this.#copied.delete(inode.number);
    try {
      linkTo(top, copied.names, folder, name);
      return true;
    } catch (error) {
      // Another user's folder may be closed to us again, the host's file system may have no links, or no more of one file.
      if (error instanceof CalveError) return false;
      throw error;
    }
  }
}

function linkTo(top: HostFolder, names: readonly Buffer[], folder: HostFolder, name: Buffer): void {
  const [first, ...rest] = names;
  if (first === undefined) throw new TypeError('a file has a name');
  if (rest.length === 0) {
    folder.link(name, top, first);
    return;
  }
  using next = top.openFolder(first);
  linkTo(next, rest, folder, name);
}
