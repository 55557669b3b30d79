import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { BlockDifference, WorkOptions } from '../../store/index.ts';
import { resolveTarget } from '../target.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly blocks?: boolean;
  readonly stat?: boolean;
  readonly exitCode?: boolean;
  readonly json?: boolean;
}

interface Total {
  readonly count: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

const LETTERS = { added: 'A', changed: 'M', removed: 'D' } as const;

/** `calve diff A [B]` */
export const diff: Verb = {
  examples: [
    {
      line: 'calve diff --blocks debian:12~1 debian:12',
      does: 'offset and length of what differs, in bytes',
    },
    { line: 'calve diff --blocks --stat quiet-otter', does: 'how much an environment changed' },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref>', 'an environment or a version')
      .argument('[env|ref]', "another (default: the environment's version, the version's parent)")
      .option('--blocks', 'compare block by block')
      .option('--stat', 'print only how much differs')
      .option('--exit-code', 'exit with 1 if anything differs')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (a: string, b: string | undefined, options: Options) => {
        if (options.blocks !== true) throw notByFiles(a, b);
        const { output, signal } = session;
        const store = await session.openStore();
        for (const name of [a, b]) if (name !== undefined) await resolveTarget(session, store, name);
        const total = { count: 0, added: 0, changed: 0, removed: 0 };
        const ranges: BlockDifference[] = [];
        const list = options.stat !== true;
        const compare = async (onProgress?: WorkOptions['onProgress']): Promise<void> => {
          for await (const range of store.versions.diffBlocks(a, b, { signal, onProgress })) {
            total.count += 1;
            total[range.kind] += range.length;
            if (list && options.json === true) ranges.push(range);
            else if (list && !output.quiet) output.print(line(range));
          }
        };
        // Lines that are being listed show by themselves how far the work is.
        if (list && options.json !== true) await compare();
        else await output.during(b === undefined ? a : `${a} and ${b}`, compare);
        if (options.exitCode === true && total.count > 0) session.exitCode = 1;
        if (options.json === true)
          output.printJson({ a, b: b ?? null, ...total, ...(list ? { ranges } : {}) });
        else if (list || output.quiet) output.say(summary(total));
        else output.print(summary(total));
      });
  },
};

function notByFiles(a: string, b: string | undefined): CalveError {
  return new CalveError('usage', 'comparison by files is not there yet; --blocks compares block by block', {
    hint: `calve diff --blocks ${b === undefined ? a : `${a} ${b}`}`,
  });
}

function line({ kind, offset, length }: BlockDifference): string {
  return `${LETTERS[kind]} ${column(offset)} ${column(length)}`;
}

function summary(total: Total): string {
  if (total.count === 0) return 'nothing differs';
  const ranges = total.count === 1 ? '1 range differs' : `${total.count} ranges differ`;
  return (
    `${ranges}: ${formatBytes(total.changed)} changed, ${formatBytes(total.added)} added, ` +
    `${formatBytes(total.removed)} removed`
  );
}

/** A number of bytes in a column wide enough for 8 TiB. */
function column(bytes: number): string {
  return String(bytes).padStart(13);
}
