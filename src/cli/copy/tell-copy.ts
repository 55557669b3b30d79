import { formatBytes } from '../../bytes/index.ts';
import { type CopyReport, printablePath } from '../../guestfs/index.ts';
import { count } from '../count.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';

/** As many of a kind are named; the rest is counted. */
const MOST_NAMED = 10;

/** Says what a copy did, and warns of what it left out. */
export function tellCopy(output: Output, from: string, to: string, report: CopyReport): void {
  const { files, symlinks, directories, bytes, lostAttributes } = report;
  const kinds = [
    [files, 'file'],
    [symlinks, 'symlink'],
    [directories, 'folder'],
  ] as const;
  const counted = kinds.filter(([number]) => number > 0).map(([number, noun]) => count(number, noun));
  const what = counted.length === 0 ? 'nothing' : `${counted.join(', ')} (${formatBytes(bytes)})`;
  output.say(printable(`copied ${what} from ${from} to ${to}`));
  for (const { path, error } of report.failed.slice(0, MOST_NAMED)) {
    output.warn(printable(`not copied: ${pathShown(from, path)}: ${error.message}`));
  }
  tellRest(output, report.failedCount, 'not copied');
  for (const { path, type } of report.skipped.slice(0, MOST_NAMED)) {
    output.warn(`left out, a ${type}: ${pathShown(from, path)}`);
  }
  tellRest(output, report.skippedCount, 'left out');
  if (lostAttributes > 0) {
    output.warn(`${count(lostAttributes, 'attribute')} could not be kept where ${printable(to)} lies`);
  }
}

function tellRest(output: Output, all: number, what: string): void {
  if (all > MOST_NAMED) output.warn(`${all - MOST_NAMED} more ${what}`);
}

function pathShown(from: string, path: Buffer): string {
  if (path.length === 0) return printable(from);
  return `${printable(from).replace(/\/+\.?$/, '')}/${printablePath(path)}`;
}
