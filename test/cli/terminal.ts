import type { CommandLine } from '../support/calve.ts';
import { type Ran, type Running, start } from '../support/programs.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

/** What a command line is given on a terminal. */
export interface OnTerminal {
  /** What a person types at each question, in order. */
  readonly answers?: readonly string[];
  readonly env?: Record<string, string>;
}

/** Runs a command line on a terminal of its own; `stdout` of what it resolves to is everything that the terminal shows. */
export function onTerminal(calve: CommandLine, words: string[], options: OnTerminal = {}): Promise<Ran> {
  const line = [process.execPath, MAIN, ...words].map((word) => `'${word}'`).join(' ');
  const running: Running = start(
    '/usr/bin/script',
    ['--quiet', '--return', '--echo', 'never', '--command', `exec ${line}`, '/dev/null'],
    { env: { CALVE_STORE: calve.store, TERM: 'xterm', NO_COLOR: undefined, ...options.env } },
  );
  let answered = 0;
  const { answers = [] } = options;
  running.child.stdout?.on('data', () => {
    // Questions end with this; what is printed in between ends its line.
    const questions = running.stdout().match(/(\]|\?) (?!\[)/g)?.length ?? 0;
    const answer = answers[answered];
    if (answer === undefined || questions <= answered) return;
    answered += 1;
    running.child.stdin?.write(answer);
  });
  return running.ended;
}
