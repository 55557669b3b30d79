import type { VersionInfo } from '../../store/index.ts';
import { LogPrinter } from '../log-printer.ts';
import { printMoves } from '../moves-printer.ts';
import { positiveInteger } from '../positive-integer.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly oneline?: boolean;
  readonly graph?: boolean;
  readonly refs?: boolean;
  readonly number?: number;
  readonly json?: boolean;
}

/** `calve log [REF]` */
export const log: Verb = {
  examples: [
    { line: 'calve log debian:12', does: 'its history, newest first' },
    { line: 'calve log --oneline --graph -n 20', does: 'the newest 20 versions of all refs' },
    { line: 'calve log --refs debian:12', does: 'where the ref pointed: debian:12@{1} is one move ago' },
  ],
  declare: (command, session) => {
    command
      .argument('[ref]', 'where to begin (default: every ref)')
      .option('--oneline', 'one line a version')
      .option('--graph', 'draw the lines of descent')
      .option('--refs', 'the moves of REF (default: of every ref), of one that was removed too')
      .option('-n, --number <count>', 'no more than this many', positiveInteger)
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (ref: string | undefined, options: Options) => {
        const { output, signal } = session;
        const store = await session.openStore();
        if (options.refs === true) {
          const moves = await store.refs.history(ref, { limit: options.number });
          return printMoves(output, moves, options);
        }
        const printer = new LogPrinter(output, options);
        const all: VersionInfo[] = [];
        let shown = 0;
        for await (const version of store.versions.log(ref, { limit: options.number })) {
          signal.throwIfAborted();
          if (options.json === true) all.push(version);
          else if (output.quiet) output.print(shortDigest(version.digest));
          else printer.print(version);
          shown += 1;
        }
        if (options.json === true) output.printJson(all);
        else if (shown === 0) output.say('no versions yet; to make one: calve import FILE REF');
      });
  },
};
