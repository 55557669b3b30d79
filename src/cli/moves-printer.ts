import { CalveError } from '../errors/index.ts';
import type { LoggedRefMove } from '../store/index.ts';
import { formatAge } from './age.ts';
import type { Output } from './output.ts';
import { shortDigest } from './short-digest.ts';
import { type Column, formatTable } from './table.ts';

interface MovesOptions {
  readonly oneline?: boolean;
  readonly graph?: boolean;
  readonly json?: boolean;
}

/** Prints the moves of refs, newest first, as a table, as JSON, or with `-q` what names each. */
export function printMoves(output: Output, moves: readonly LoggedRefMove[], options: MovesOptions): void {
  if (options.graph === true || options.oneline === true) {
    throw new CalveError('usage', `--refs takes no ${options.graph === true ? '--graph' : '--oneline'}`);
  }
  if (options.json === true) output.printJson(moves);
  else if (output.quiet) output.printNames(moves.map(({ expression }) => ({ name: expression })));
  else if (moves.length === 0) output.say('no ref has moved yet');
  else output.printTable(formatTable(COLUMNS, moves));
}

const COLUMNS: readonly Column<LoggedRefMove>[] = [
  { title: 'NAME', cell: (move) => move.expression },
  { title: 'WHEN', cell: (move) => formatAge(move.time) },
  { title: 'FROM', cell: (move) => nameOf(move.from) },
  { title: 'TO', cell: (move) => nameOf(move.to) },
  { title: 'BY', cell: (move) => move.command },
];

function nameOf(version: string | null): string {
  return version === null ? '-' : shortDigest(version);
}
