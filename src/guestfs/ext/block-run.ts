/** A run of a file's blocks. */
export interface BlockRun {
  /** Its first block, counted from the start of the file. */
  readonly first: number;
  /** Blocks; at least 1. */
  readonly count: number;
  /** Where it lies in the file system; null: nowhere, it reads zeros. */
  readonly block: number | null;
}
