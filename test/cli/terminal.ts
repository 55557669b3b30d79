import type { CommandLine } from '../support/calve.ts';
import { type Ran, run } from '../support/programs.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

/** What a command line shows on a terminal. */
export interface OnTerminal {
  /** Answers, as typed; each with its line break. */
  readonly typed?: string;
  readonly env?: Record<string, string>;
}

/** Runs a command line on a terminal of its own; `stdout` of what it resolves to is everything that the terminal shows. */
export function onTerminal(calve: CommandLine, words: string[], options: OnTerminal = {}): Promise<Ran> {
  const line = [process.execPath, MAIN, ...words].map((word) => `'${word}'`).join(' ');
  return run('/usr/bin/script', ['--quiet', '--return', '--echo', 'never', '--command', line, '/dev/null'], {
    env: { CALVE_STORE: calve.store, TERM: 'xterm', NO_COLOR: undefined, ...options.env },
    ...(options.typed === undefined ? {} : { input: options.typed }),
  });
}
