import { median } from '../median.ts';

/** What came of keeping the series with one tool. */
export interface Kept {
  readonly name: string;
  /** Of all states together, a number a run. */
  readonly seconds: readonly number[];
  readonly bytes: number;
}

/** A markdown table of all tools, calve first, and calve's ratios to the best of the others: below 1 is better. */
export function seriesTable([calve, ...peers]: readonly Kept[]): string {
  if (calve === undefined || peers.length === 0) throw new Error('expected calve and its peers');
  const fewest = Math.min(...peers.map((peer) => peer.bytes));
  const fastest = Math.min(...peers.map((peer) => median(peer.seconds)));
  const row = ({ name, seconds, bytes }: Kept): string => {
    const time = median(seconds);
    const cells = [
      ...[(bytes / 1e6).toFixed(1), (bytes / fewest).toFixed(3)],
      ...[time.toFixed(1), (time / fastest).toFixed(2)],
    ];
    return `| ${name} | ${cells.join(' | ')} |\n`;
  };
  return [
    '| tool | MB stored | to the best peer | seconds | to the best peer |\n',
    '| --- | ---: | ---: | ---: | ---: |\n',
    ...[calve, ...peers].map(row),
    '\n',
    `calve stores ${(calve.bytes / fewest).toFixed(3)} of the bytes of the best peer (target: at most 0.95), `,
    `in ${(median(calve.seconds) / fastest).toFixed(2)} of the time of the fastest one (target: at most 0.5); `,
    `runs: ${calve.seconds.length}\n`,
  ].join('');
}
