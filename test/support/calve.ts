import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { messagesOf } from './messages-of.ts';
import { startNode } from './node.ts';
import { finish, type Ran, type Running, type RunOptions, report } from './programs.ts';

/** The program that people run. */
export const MAIN: string = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The command line, working on one store, under the Node that runs the tests. */
export interface CommandLine {
  readonly store: string;
  /** Runs it to its end, whatever that is. */
  run(args: string[], options?: RunOptions): Promise<Ran>;
  start(args: string[], options?: RunOptions): Running;
  /** It must exit 0; resolves to what it printed, without the last line's end. */
  ok(...args: string[]): Promise<string>;
  /** It must exit 0 and print JSON. */
  json<T>(...args: string[]): Promise<T>;
  /** It must exit 1, say so in calve's own words, and print no data; resolves to what it said. */
  refuses(...args: string[]): Promise<string>;
}

/** The command line on the store in `store`. */
export function commandLine(store: string): CommandLine {
  const env = { CALVE_STORE: store, CALVE_AUTHOR: 'Tester <tester@example.org>', CALVE_DEBUG: undefined };
  const withStore = (options: RunOptions = {}) => ({ ...options, env: { ...env, ...options.env } });
  const starts: CommandLine['start'] = (args, options) => startNode(MAIN, args, withStore(options));
  const runs: CommandLine['run'] = (args, options = {}) =>
    finish(starts(args, { ...options, input: options.input ?? '' }), options.timeout);
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
