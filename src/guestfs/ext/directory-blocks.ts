import { BlockSet } from './block-set.ts';

/**
 * The blocks in which the directories of a file system keep their names, and those that lead to them. No two are the
 * same in a sound one: a small disk whose thousands of directories all lead to one with thousands of names could be
 * walked for ever.
 */
export class DirectoryBlocks {
  readonly #blocks = new BlockSet();
  /** How far each directory was listed, which may be listed again: in steps of its listing. */
  readonly #known = new Map<number, number>();

  /**
   * Notes a block that a directory's listing comes to.
   * @param step how many it came to before
   * @returns whether the listing may go on: false when the block belongs to another directory, or stands in this one twice
   */
  claim(directory: number, step: number, block: number): boolean {
    if (step < (this.#known.get(directory) ?? 0)) return true;
    if (this.#blocks.has(block)) return false;
    this.#blocks.add(block, 1);
    this.#known.set(directory, step + 1);
    return true;
  }

  clear(): void {
    this.#blocks.clear();
    this.#known.clear();
  }
}
