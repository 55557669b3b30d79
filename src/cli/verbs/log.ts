import type { VersionInfo } from '../../store/index.ts';
import { formatAge } from '../age.ts';
import { firstLine } from '../first-line.ts';
import { Graph } from '../graph.ts';
import { historyOf } from '../history.ts';
import type { Output } from '../output.ts';
import { positiveInteger } from '../positive-integer.ts';
import { printable } from '../printable.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly oneline?: boolean;
  readonly graph?: boolean;
  readonly number?: number;
  readonly json?: boolean;
}

/** `calve log [REF]` */
export const log: Verb = {
  examples: [
    { line: 'calve log debian:12', does: 'its history, newest first' },
    { line: 'calve log --oneline --graph -n 20', does: 'the newest 20 versions of all refs' },
  ],
  declare: (command, session) => {
    command
      .argument('[ref]', 'where to begin (default: every ref)')
      .option('--oneline', 'one line a version')
      .option('--graph', 'draw the lines of descent')
      .option('-n, --number <count>', 'no more than this many', positiveInteger)
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (ref: string | undefined, options: Options) => {
        const { output, signal } = session;
        const store = await session.openStore();
        // A name that is mistyped is an error; a ref of the list that is removed meanwhile is not.
        const heads = ref === undefined ? (await store.refs.list()).map((each) => each.version) : [ref];
        if (ref !== undefined) await store.versions.get(ref);
        const printer = new Printer(output, options);
        const all: VersionInfo[] = [];
        let left = options.number ?? Number.POSITIVE_INFINITY;
        for await (const version of historyOf(store, heads)) {
          signal.throwIfAborted();
          if (options.json === true) all.push(version);
          else if (output.quiet) output.print(shortDigest(version.digest));
          else printer.print(version);
          left -= 1;
          if (left === 0) break;
        }
        if (options.json === true) output.printJson(all);
      });
  },
};

/** Prints versions one below the other, a line of nothing between those of several lines. */
class Printer {
  readonly #output: Output;
  readonly #oneline: boolean;
  readonly #graph: Graph | undefined;
  #between: string | undefined;

  constructor(output: Output, options: Options) {
    this.#output = output;
    this.#oneline = options.oneline === true;
    this.#graph = options.graph === true ? new Graph() : undefined;
  }

  print(version: VersionInfo): void {
    const rows = this.#graph?.place(version.digest, version.parents);
    if (this.#between !== undefined) this.#output.print(this.#between);
    for (const row of rows?.above ?? []) this.#output.print(row);
    for (const [at, line] of this.#text(version).entries()) {
      const drawn = at === 0 ? rows?.first : rows?.more;
      this.#output.print(drawn === undefined ? line : `${drawn} ${line}`.trimEnd());
    }
    for (const row of rows?.below ?? []) this.#output.print(row);
    if (!this.#oneline) this.#between = rows?.below.length === 0 ? rows.more.trimEnd() : '';
  }

  #text(version: VersionInfo): string[] {
    const { yellow, cyan } = this.#output.colors;
    const digest = yellow(shortDigest(version.digest));
    const refs = version.refs.length === 0 ? '' : ` ${cyan(`(${version.refs.join(', ')})`)}`;
    if (this.#oneline) return [`${digest}${refs} ${firstLine(version.message)}`.trimEnd()];
    return [`${yellow('version')} ${digest}${refs}`, ...details(version)];
  }
}

function details(version: VersionInfo): string[] {
  const from = version.made.from === undefined ? '' : ` of ${printable(version.made.from)}`;
  const lines = [
    `Author: ${printable(version.author)}`,
    `Date:   ${version.created} (${formatAge(version.created)})`,
    `Made:   ${printable(version.made.command)}${from}`,
  ];
  if (version.message.trim() === '') return lines;
  const message = printable(version.message.trim(), { lines: true }).split('\n');
  return [...lines, '', ...message.map((line) => `    ${line}`.trimEnd())];
}
