import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { messagesOf } from './messages-of.ts';
import { startNode } from './node.ts';
import { finish, type Ran, type Running, type RunOptions, report } from './programs.ts';
import { isResidentIdle, runResident } from './resident-program.ts';

/** The program that people run. */
export const MAIN: string = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The command line, working on one store, under the Node that runs the tests. */
export interface CommandLine {
  readonly store: string;
  /** Runs it to its end, whatever that is. With options it is a process of its own. */
  run(args: string[], options?: RunOptions): Promise<Ran>;
  /** Starts a process of its own. */
  start(args: string[], options?: RunOptions): Running;
  /** It must exit 0; resolves to what it printed, without the last line's end. */
  ok(...args: string[]): Promise<string>;
  /** It must exit 0 and print JSON. */
  json<T>(...args: string[]): Promise<T>;
  /** It must exit 1, say so in calve's own words, and print no data; resolves to what it said. */
  refuses(...args: string[]): Promise<string>;
}

/** What a test may ask of a command line. */
export interface CommandLineOptions {
  /** Every command is a process of its own, as people run it: for the tests that are about just that. */
  readonly ownProcesses?: boolean;
}

/** The command line on the store in `store`. */
export function commandLine(store: string, { ownProcesses = false }: CommandLineOptions = {}): CommandLine {
  const env = { CALVE_STORE: store, CALVE_AUTHOR: 'Tester <tester@example.org>', CALVE_DEBUG: undefined };
  const withStore = (options: RunOptions = {}) => ({ ...options, env: { ...env, ...options.env } });
  const starts: CommandLine['start'] = (args, options) => startNode(MAIN, args, withStore(options));
  const runs: CommandLine['run'] = (args, options) => {
    // A server starts itself once more, by the command line of its process.
    const fits = !ownProcesses && options === undefined && !args.includes('nbd');
    if (fits && isResidentIdle())
      return runResident(args, { env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env } });
    return finish(starts(args, { ...options, input: options?.input ?? '' }), options?.timeout);
  };
  const ok = async (...args: string[]) => {
    const ran = await runs(args);
    assert.equal(ran.code, 0, report(ran));
    return ran.stdout.trimEnd();
  };
  return {
    store,
    run: runs,
    start: starts,
    ok,
    async json<T>(...args: string[]): Promise<T> {
      const value: T = JSON.parse(await ok(...args, '--json'));
      return value;
    },
    async refuses(...args) {
      const ran = await runs(args);
      assert.equal(ran.code, 1, report(ran));
      assert.match(ran.stderr, /^calve: /m, report(ran));
      assert.doesNotMatch(ran.stderr, /unexpected error|^ +at /m, report(ran));
      assert.equal(ran.stdout, '', report(ran));
      return messagesOf(ran);
    },
  };
}
