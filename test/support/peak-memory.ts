import assert from 'node:assert/strict';
import { type Ran, report } from './programs.ts';

/**
 * In NODE_OPTIONS: a program says at its end what it took at most. The kernel's own figure, of this program's memory
 * alone: what a parent tells of its children counts the parent in.
 */
export const TELL_PEAK: string = `--import=data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from 'node:fs';
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread) process.on('exit', () => {
    process.stderr.write(/VmHWM.*/.exec(readFileSync('/proc/self/status', 'utf8'))[0] + '\\n');
  });
`)}`;

/** What a program that ran with TELL_PEAK took at most, in MiB. */
export function peakOf(ran: Ran): number {
  const [, peak] = /VmHWM:\s*(\d+) kB/.exec(ran.stderr) ?? assert.fail(report(ran));
  return Number(peak) / 1024;
}
