import type { Measured } from './measure.ts';

const HEAD = ['case', 'calve', 'peer', 'ratio', 'runs'];

/** The one table: work per second; a ratio over 1 says that calve is faster. */
export function table(rows: readonly Measured[]): string {
  const cells = rows.map(({ name, unit, calve, peer, runs }) => [
    name,
    rate(calve, unit),
    rate(peer, unit),
    (calve / peer).toFixed(2),
    String(runs),
  ]);
  const all = [HEAD, ...cells];
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => {
    const padded = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(' | ')} |\n`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [HEAD, rule, ...cells].map(line).join('');
}

function rate(perSecond: number, unit: string): string {
  const digits = perSecond < 100 ? 1 : 0;
  return `${perSecond.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}/s`;
}
