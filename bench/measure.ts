import type { BenchCase } from './bench-case.ts';
import { median } from './median.ts';

/** What came of a case: work per second, medians over all runs. */
export interface Measured {
  readonly name: string;
  readonly unit: BenchCase['unit'];
  readonly calve: number;
  readonly peer: number;
  readonly runs: number;
}

/**
 * Measures a case: calve and its peer in turn, whoever begins, so that what else the machine does meets both. One run of
 * each goes ahead and does not count.
 */
export async function measure(bench: BenchCase, runs: number): Promise<Measured> {
  try {
    return await measureRuns(bench, runs);
  } finally {
    await bench.end?.();
  }
}

async function measureRuns(bench: BenchCase, runs: number): Promise<Measured> {
  await bench.prepare?.();
  await bench.calve();
  await bench.peer();
  const calve: number[] = [];
  const peer: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    if (run % 2 === 0) calve.push(await bench.calve());
    peer.push(await bench.peer());
    if (run % 2 === 1) calve.push(await bench.calve());
  }
  const { name, unit, amount } = bench;
  return { name, unit, calve: amount / median(calve), peer: amount / median(peer), runs };
}
