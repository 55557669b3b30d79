/** What one of many processes was told by the store, printed as JSON when its time is over. */
export interface Journal {
  readonly id: number;
  /** How many operations were done, by name. */
  readonly done: Readonly<Record<string, number>>;
  /** Refs that it set and nobody else touches: the version that was acknowledged. null: removed. */
  readonly refs: Readonly<Record<string, string | null>>;
  /** What is written in which 64 KiB block of each version's disk, by digest. */
  readonly versions: Readonly<Record<string, Readonly<Record<number, string>>>>;
  /** Environments that nobody else touches and that it did not remove: their versions. */
  readonly envs: Readonly<Record<string, string>>;
  /** Environments that it removed. */
  readonly removed: readonly string[];
  /** What was refused, on refs and environments that others use too: operation and error code. */
  readonly refused: Readonly<Record<string, number>>;
  /** What must not have happened. */
  readonly faults: readonly string[];
}

/** Blocks in which versions of the stress differ, from the start of the disk. */
export const BLOCK = 65_536;
export const BLOCKS = 16;
/** A block's text takes the block's first bytes. */
export const TEXT = 32;
