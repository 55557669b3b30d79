import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { after, it, type TestContext } from 'node:test';
import { CalveError } from '../../src/errors/index.ts';
import { LONG } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { checkWithCalve, createWithCalve, playWithCalve } from './calve-image.ts';
import { firstHistory, secondHistory } from './change.ts';
import { allCombinations, brokenRules, type Combination, describeCombination } from './combination.ts';
import { pairwise } from './pairwise.ts';
import { checkWithQemu, createWithQemu, playWithQemu } from './qemu-image.ts';

const folder = await temporaryFolder('calve-conformance');
after(() => folder[Symbol.asyncDispose]());
/** Cluster sizes of a short run: the smallest, the largest, those of subclusters, and either side of the default. */
const CLUSTER_SIZES: ReadonlySet<number> = new Set([512, 2048, 4096, 16_384, 65_536, 524_288, 2_097_152]);
/** One combination alone: the number that a failure told. */
const { CALVE_COMBINATION } = process.env;
const ALL = allCombinations();

/** All of them; else every pair of values that go together, and one for each thing that is refused. */
function chosen(): Combination[] {
  if (CALVE_COMBINATION !== undefined)
    return ALL.slice(Number(CALVE_COMBINATION), Number(CALVE_COMBINATION) + 1);
  if (LONG) return ALL;
  const some = ALL.filter(({ clusterSize }) => CLUSTER_SIZES.has(clusterSize));
  const refused = some.filter((one) => brokenRules(one) === 1 && one.encryption === 'none');
  return [...pairwise(some.filter((one) => brokenRules(one) === 0)), ...spread(refused, 8)];
}

/** So many of some, from all over them. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  const step = items.length / count;
  return Array.from({ length: count }, (_, index) => items[Math.floor((index + 0.5) * step)]).filter(
    (item) => item !== undefined,
  );
}

interface Counts {
  accepted: number;
  refused: number;
  created: number;
}

async function judge(one: Combination, place: string, counts: Counts): Promise<void> {
  const accepted = await createWithQemu(place, 'theirs', one);
  const first = firstHistory(one);
  const second = secondHistory(one);
  if (!accepted) {
    counts.refused += 1;
    await assert.rejects(createWithCalve(place, 'ours', one), (error) => CalveError.is(error));
    return;
  }
  counts.accepted += 1;
  await playWithQemu(place, 'theirs', one, [], first);
  await checkWithCalve(place, 'theirs');
  await playWithCalve(place, 'theirs', one, first, second);
  await checkWithQemu(place, 'theirs', one);
  await checkWithCalve(place, 'theirs');
  await playWithQemu(place, 'theirs', one, [...first, ...second], []);

  if (one.encryption === 'aes') return;
  counts.created += 1;
  await createWithCalve(place, 'ours', one);
  await playWithCalve(place, 'ours', one, [], first);
  await checkWithQemu(place, 'ours', one);
  await playWithQemu(place, 'ours', one, first, second);
  await checkWithCalve(place, 'ours');
  await playWithCalve(place, 'ours', one, [...first, ...second], []);
}

async function run(test: TestContext): Promise<void> {
  const rows = chosen();
  const counts: Counts = { accepted: 0, refused: 0, created: 0 };
  const failures: string[] = [];
  const waiting = rows.entries();
  const work = async () => {
    for (const [row, one] of waiting) {
      const place = folder.join(`${row}`);
      await mkdir(place);
      try {
        await judge(one, place, counts);
      } catch (error) {
        const again = `CALVE_COMBINATION=${ALL.indexOf(one)} node --test test/conformance/conformance.test.ts`;
        failures.push(
          `${describeCombination(one)}: ${error instanceof Error ? error.stack : error}\n${again}`,
        );
        if (failures.length === 10) return;
      }
      await rm(place, { recursive: true });
    }
  };
  await Promise.all([work(), work(), work()]);
  test.diagnostic(`${rows.length} combinations: QEMU made ${counts.accepted}, calve ${counts.created}`);
  test.diagnostic(`refused by both: ${counts.refused}`);
  assert.equal(failures.length, 0, `\n${failures.join('\n\n')}`);
}

const what = LONG ? 'every combination of features' : 'every pair of features';
it(
  `${what}: what QEMU wrote reads in calve, and what calve wrote in QEMU; what one refuses the other does`,
  run,
);
