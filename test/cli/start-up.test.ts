import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('ls answers at once', async (t) => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'), { ownProcesses: true });
  await calve.ok('init');
  const took: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    await calve.ok('ls');
    took.push(performance.now() - began);
  }
  const [best = Number.NaN, , median = Number.NaN] = took.sort((a, b) => a - b);
  t.diagnostic(
    `calve ls, from its sources: ${median.toFixed(0)} ms (median of 5), ${best.toFixed(0)} ms (best)`,
  );
  // The target is well under 150 ms, built, on a quiet machine; this one may be shared, and the bound is for the gross.
  assert.ok(best < 1000, `${best} ms`);
});
