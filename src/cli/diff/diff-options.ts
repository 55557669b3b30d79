/** What is compared, as typed. */
export interface DiffSides {
  readonly a: string;
  readonly b: string | undefined;
}

/** The options of `calve diff`. */
export interface DiffOptions {
  readonly blocks?: boolean;
  readonly stat?: boolean;
  readonly nameStatus?: boolean;
  readonly content?: string;
  readonly partition?: string;
  /** False with `--no-renames`. */
  readonly renames: boolean;
  readonly exitCode?: boolean;
  readonly json?: boolean;
}
