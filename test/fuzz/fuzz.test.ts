import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, it } from 'node:test';
import { LONG, rounds, SEED } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { runCases } from './run-cases.ts';

const folder = await temporaryFolder('calve-fuzz');
after(() => folder[Symbol.asyncDispose]());

const CASES = rounds(20_000, 1_000_000);
/** Where a long run goes on that was ended: the number that it told last. */
const FIRST = Number(process.env['CALVE_FIRST'] ?? 0);
const QEMU_EVERY = LONG ? 50 : 132;

it(`${CASES} mutated images are read, written, checked and repaired, or refused by a typed error`, async (test) => {
  const started = performance.now();
  const processes = Math.max(2, availableParallelism());
  const { totals, failures } = await runCases(
    {
      seed: SEED,
      first: FIRST,
      count: CASES - FIRST,
      qemuEvery: QEMU_EVERY,
      processes,
      // At once, unlike a diagnostic: a long run that is ended has then said how far it came.
      onProgress: (next, failed) => {
        if (!LONG) return;
        const numbers = failed.length === 0 ? '' : `, these: ${failed.map((each) => each.case).join(', ')}`;
        process.stderr.write(
          `all before ${next} are done, ${failed.length} failed${numbers}: go on with CALVE_FIRST=${next}\n`,
        );
      },
    },
    folder,
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  const { cases, opened, written, checked, compared, same, refusedByOne, explained } = totals;
  test.diagnostic(`${cases} cases in ${seconds} s by ${processes} processes, seed ${SEED}`);
  test.diagnostic(`${opened} opened, ${written} took writes, ${checked} were checked to the end`);
  test.diagnostic(`QEMU checked ${compared}: ${same} as calve, ${refusedByOne} refused by one of the two`);
  for (const [reason, count] of Object.entries(explained)) test.diagnostic(`${count} times: ${reason}`);
  test.diagnostic(
    `memory ${totals.peakMemory} MiB at most; the slowest, ${totals.slowestCase}: ${totals.slowest} ms`,
  );
  const told = failures.map(
    ({ case: number, reason }) =>
      `case ${number}: ${reason}\nCALVE_SEED=${SEED} node test/fuzz/run-case.ts ${number}`,
  );
  assert.equal(failures.length, 0, `\n${told.join('\n\n')}`);
});
