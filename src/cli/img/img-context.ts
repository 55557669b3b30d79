/** What a subcommand is run with: the name it speaks under, where its words go, and what ends it. */
export interface ImgContext {
  /** As whoever called it knows it: `calve-img`, `qemu-img`. Messages begin with it. */
  readonly program: string;
  /** Text for stdout, as it is. */
  readonly print: (text: string) => void;
  /** Text for stderr, as it is. */
  readonly complain: (text: string) => void;
  readonly signal: AbortSignal;
  /**
   * Runs the command line by an installed qemu-img, for formats that are not built here; resolves to its exit code, or to
   * undefined when none is installed.
   */
  readonly handOver?: (words: readonly string[]) => Promise<number | undefined>;
}

/** What a file in `commands/` exports. It is loaded when its name was typed. */
export interface ImgCommand {
  /** What follows the program and the subcommand in the line of help. */
  readonly usage: string;
  /** What the options mean, for `--help`: an option and its line each. */
  readonly help: readonly (readonly [option: string, does: string])[];
  /**
   * Does it; resolves to the exit code. What it throws is told as `tellError` does, and ends with the code of `imgError`, else 1.
   * @param words what was typed after the subcommand
   */
  run(words: readonly string[], context: ImgContext): Promise<number>;
}
