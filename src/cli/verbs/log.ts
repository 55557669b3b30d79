import { CalveError } from '../../errors/index.ts';
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
  readonly partition?: string;
  readonly json?: boolean;
}

/** `calve log [REF] [-- PATH]` */
export const log: Verb = {
  examples: [
    { line: 'calve log debian:12', does: 'its history, newest first' },
    { line: 'calve log --oneline --graph -n 20', does: 'the newest 20 versions of all refs' },
    { line: 'calve log debian:12 -- /etc/fstab', does: 'the versions in which that file changed' },
    { line: 'calve log --refs debian:12', does: 'where the ref pointed: debian:12@{1} is one move ago' },
  ],
  declare: (command, session) => {
    command
      .argument('[ref]', 'where to begin (default: every ref)')
      .argument('[path]', 'after --: only versions in which what lies there inside the disk changed')
      .option('--oneline', 'one line a version')
      .option('--graph', 'draw the lines of descent')
      .option('--refs', 'the moves of REF (default: of every ref), of one that was removed too')
      .option('-n, --number <count>', 'no more than this many', positiveInteger)
      .option('-p, --partition <partition>', 'the number, label or UUID of the partition that PATH is in')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (first: string | undefined, second: string | undefined, options: Options) => {
        const { ref, path } = refAndPath(first, second);
        refuseTogether(path, options);
        const { output, signal } = session;
        const store = await session.openStore();
        if (options.refs === true) {
          const moves = await store.refs.history(ref, { limit: options.number });
          return printMoves(output, moves, options);
        }
        const printer = new LogPrinter(output, options);
        const all: VersionInfo[] = [];
        let shown = 0;
        for await (const version of store.versions.log(ref, {
          limit: options.number,
          path,
          partition: options.partition,
          signal,
        })) {
          signal.throwIfAborted();
          if (options.json === true) all.push(version);
          else if (output.quiet) output.print(shortDigest(version.digest));
          else printer.print(version);
          shown += 1;
        }
        if (options.json === true) output.printJson(all);
        else if (shown === 0 && path !== undefined) output.say(`${path} changed in no version`);
        else if (shown === 0) output.say('no versions yet; to make one: calve import FILE REF');
      });
  },
};

/** No ref begins with a slash: then the path stands alone, and every ref is meant. */
function refAndPath(
  first: string | undefined,
  second: string | undefined,
): { readonly ref: string | undefined; readonly path: string | undefined } {
  if (second === undefined && first?.startsWith('/') === true) return { ref: undefined, path: first };
  return { ref: first, path: second };
}

function refuseTogether(path: string | undefined, options: Options): void {
  const other =
    path === undefined ? undefined : options.refs ? '--refs' : options.graph ? '--graph' : undefined;
  if (other !== undefined) throw new CalveError('usage', `a path and ${other} do not go together`);
  if (path === undefined && options.partition !== undefined) {
    throw new CalveError('usage', '--partition says where a path lies, and there is none', {
      hint: 'calve log REF -p PARTITION -- PATH',
    });
  }
}
