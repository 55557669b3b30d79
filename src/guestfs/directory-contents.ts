/**
 * Where the directories of a file system have their content, which no two of them share in a sound one: a small disk
 * whose thousands of directories all lead to one with thousands of names could be walked for ever.
 */
export class DirectoryContents {
  readonly #owners = new Map<number, number>();

  /**
   * @param place where a directory's content begins
   * @param number of the directory
   * @returns the other directory that has it, which was met before; undefined: none
   */
  claim(place: number, number: number): number | undefined {
    const owner = this.#owners.get(place);
    if (owner === undefined) this.#owners.set(place, number);
    return owner === number ? undefined : owner;
  }

  clear(): void {
    this.#owners.clear();
  }
}
