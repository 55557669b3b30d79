import type { VersionInfo } from '../store/index.ts';
import { formatAge } from './age.ts';
import { count } from './count.ts';
import { firstLine } from './first-line.ts';
import { Graph } from './graph.ts';
import type { Output } from './output.ts';
import { printable } from './printable.ts';
import { shortDigest } from './short-digest.ts';

/** How a log looks. */
export interface LogOptions {
  readonly oneline?: boolean;
  readonly graph?: boolean;
}

/** Prints versions one below the other, a line of nothing between those of several lines. */
export class LogPrinter {
  readonly #output: Output;
  readonly #oneline: boolean;
  readonly #graph: Graph | undefined;
  #between: string | undefined;

  constructor(output: Output, options: LogOptions) {
    this.#output = output;
    this.#oneline = options.oneline === true;
    this.#graph = options.graph === true ? new Graph() : undefined;
  }

  print(version: VersionInfo): void {
    const rows = this.#graph?.place(version.digest, version.parents);
    const text = this.#text(version).map((line, at) => {
      const drawn = at === 0 ? rows?.first : rows?.more;
      return drawn === undefined ? line : `${drawn} ${line}`.trimEnd();
    });
    const between = this.#between === undefined ? [] : [this.#between];
    this.#output.printLines([...between, ...(rows?.above ?? []), ...text, ...(rows?.below ?? [])]);
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
    `Depth:  ${count(version.layers.length, 'layer')}`,
  ];
  if (version.message.trim() === '') return lines;
  const message = printable(version.message.trim(), { lines: true }).split('\n');
  return [...lines, '', ...message.map((line) => `    ${line}`.trimEnd())];
}
