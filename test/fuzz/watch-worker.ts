import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseRange, CaseTotals, Message } from './case-range.ts';

/** A case that must not be, and why. */
export interface FailedCase {
  readonly case: number;
  readonly reason: string;
}

/** How far a process came. */
export interface Watched {
  readonly failures: readonly FailedCase[];
  /** Undefined when the process did not get to the end. */
  readonly totals: CaseTotals | undefined;
  /** The case that follows the last one begun. */
  readonly next: number;
}

/** A case that goes on for so long hangs: CPU time, as another process may have the processor. */
const HANG_CPU_SECONDS = 5;
/** One that waits for nothing, in wall time. */
const HANG_SECONDS = 120;
const TICKS_A_SECOND = 100;
/** Small heaps, so that what is measured is what the images take and not what the collector leaves lying. */
const HEAP = ['--max-semi-space-size=4', '--max-old-space-size=96'];

/** Runs a range of cases in a process of its own, until it is done, dies, or hangs in a case. */
export async function watchWorker(range: CaseRange): Promise<Watched> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(range)], {
    execArgv: HEAP,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  const failures: FailedCase[] = [];
  let totals: CaseTotals | undefined;
  let current = range.first;
  let begun = { wall: performance.now(), cpu: cpuSeconds(child.pid) };
  let stderr = '';
  let hung = false;
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = `${stderr}${chunk}`.slice(-4000);
  });
  child.on('message', (message: Message) => {
    if (message.kind === 'begins') {
      current = message.case;
      begun = { wall: performance.now(), cpu: cpuSeconds(child.pid) };
    } else if (message.kind === 'failed') {
      failures.push(message);
    } else {
      totals = message.totals;
    }
  });
  const watch = setInterval(() => {
    const cpu = cpuSeconds(child.pid) - begun.cpu;
    if (cpu < HANG_CPU_SECONDS && performance.now() - begun.wall < HANG_SECONDS * 1000) return;
    hung = true;
    child.kill('SIGKILL');
  }, 250);
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(String(error)));
    child.on('close', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  clearInterval(watch);
  if (!totals)
    failures.push({ case: current, reason: `${hung ? 'it hung' : `the process died: ${ended}`}\n${stderr}` });
  return { failures, totals, next: current + 1 };
}

/** CPU time that a process has taken; 0 when there is none any more. */
function cpuSeconds(pid: number | undefined): number {
  try {
    // The second field, the name, ends with the last parenthesis.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  } catch {
    return 0;
  }
}
