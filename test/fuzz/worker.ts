// A program: runs a range of cases and tells its parent of each; `watch-worker.ts` starts it and watches it.

import { writeFileSync } from 'node:fs';
import { type CaseRange, type Message, noTotals } from './case-range.ts';
import { compareVerdicts } from './compare-verdicts.ts';
import { readCorpus } from './corpus.ts';
import { mutantOf } from './mutate.ts';
import { useImage } from './use-image.ts';

/** What one case may take. */
const MOST_CPU_MILLISECONDS = 1000;
const MOST_MEMORY = 256;

const range: CaseRange = JSON.parse(process.argv[2] ?? '{}');
const corpus = readCorpus();
const totals = noTotals();
const tell = (message: Message) => process.send?.(message);

for (let number = range.first; number < range.end; number += 1) {
  tell({ kind: 'begins', case: number });
  try {
    await runCase(number);
  } catch (error) {
    tell({
      kind: 'failed',
      case: number,
      reason: error instanceof Error ? (error.stack ?? '') : String(error),
    });
  }
}
totals.peakMemory = peakMemory();
tell({ kind: 'done', totals });
process.disconnect?.();

async function runCase(number: number): Promise<void> {
  const mutant = mutantOf(corpus, range.seed, number);
  const before = process.cpuUsage();
  const { report, opened, written } = await useImage(mutant.bytes);
  const { user, system } = process.cpuUsage(before);
  const milliseconds = (user + system) / 1000;
  totals.cases += 1;
  totals.opened += opened ? 1 : 0;
  totals.written += written ? 1 : 0;
  totals.checked += report ? 1 : 0;
  if (milliseconds > totals.slowest) {
    totals.slowest = milliseconds;
    totals.slowestCase = number;
  }
  if (milliseconds > MOST_CPU_MILLISECONDS) throw new Error(`it took ${milliseconds} ms of CPU time`);
  const memory = peakMemory();
  if (memory > MOST_MEMORY) throw new Error(`memory came to ${memory} MiB`);
  if (number % range.qemuEvery !== 0) return;
  const comparison = await compareVerdicts(mutant, report, range.folder, 'mutant.qcow2');
  totals.compared += 1;
  if (comparison.kind === 'same') totals.same += 1;
  if (comparison.kind === 'refused') totals.refusedByOne += 1;
  if (comparison.kind === 'explained') {
    totals.explained[comparison.reason] = (totals.explained[comparison.reason] ?? 0) + 1;
  }
  if (comparison.kind === 'unexplained') throw new Error(comparison.what);
}

function peakMemory(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

// What comes neither back nor out of an await ends the process, and its parent tells which case it was.
process.on('unhandledRejection', (error) => {
  writeFileSync(2, `unhandled rejection: ${error instanceof Error ? error.stack : error}\n`);
  process.exit(70);
});
