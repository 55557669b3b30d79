import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TemporaryFolder } from '../support/temporary.ts';
import { addTotals, type CaseTotals, noTotals } from './case-range.ts';
import { type FailedCase, watchWorker } from './watch-worker.ts';

/** Which cases are run, and how. */
export interface RunOptions {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  readonly qemuEvery: number;
  readonly processes: number;
  /** Called when a share of the cases is done, with the case before which none is left, and what failed so far. */
  readonly onProgress?: (next: number, failures: readonly FailedCase[]) => void;
}

/** Cases that a process is given at a time: what is left of one that dies is given to another. */
const SHARE = 5000;
/** So many failures are enough to see what is wrong. */
const MOST_FAILURES = 10;

/** Runs cases in several processes, and goes on behind those that fail. */
export async function runCases(
  options: RunOptions,
  folder: TemporaryFolder,
): Promise<{ totals: CaseTotals; failures: FailedCase[] }> {
  const { seed, first, count, qemuEvery, processes, onProgress } = options;
  const totals = noTotals();
  const failures: FailedCase[] = [];
  const end = first + count;
  const share = Math.min(SHARE, Math.ceil(count / processes));
  let next = first;
  const underWay = new Set<number>();
  const work = async (place: string) => {
    await prepare(place);
    while (next < end && failures.length < MOST_FAILURES) {
      const from = next;
      const to = Math.min(end, from + share);
      next = to;
      underWay.add(from);
      for (let at = from; at < to && failures.length < MOST_FAILURES; ) {
        const watched = await watchWorker({ seed, first: at, end: to, qemuEvery, folder: place });
        failures.push(...watched.failures);
        if (watched.totals) addTotals(totals, watched.totals);
        at = watched.totals ? to : watched.next;
      }
      underWay.delete(from);
      onProgress?.(Math.min(next, ...underWay), failures);
    }
  };
  await Promise.all(Array.from({ length: processes }, (_, index) => work(folder.join(`process-${index}`))));
  return { totals, failures };
}

/** The files that mutants name, so that QEMU opens them. */
async function prepare(place: string): Promise<void> {
  await mkdir(place);
  await writeFile(join(place, 'base.raw'), Buffer.alloc(150_016, 0xb5));
  await writeFile(join(place, 'data.raw'), Buffer.alloc(256 * 1024));
}
