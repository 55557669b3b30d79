import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../test/support/random.ts';
import { SEED } from '../../test/support/suite.ts';
import { layersToMerge } from './merge-policy.ts';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;
/** What a layer's file holds besides data: header, tables, refcounts. */
const METADATA = 5 * 65_536;

interface History {
  /** Bytes of the first layer. */
  readonly base: number;
  readonly commits: number;
  /** Bytes of data that a commit changes. */
  readonly change: (commit: number) => number;
  /** Bytes of data that a merge of changes holds of these altogether (default: all, as if no two overlapped). */
  readonly union?: (bytes: number) => number;
  readonly metadata?: number;
}

interface Outcome {
  readonly deepest: number;
  /** Bytes of all layers that the commits wrote, and of those that they had written without merging. */
  readonly written: number;
  readonly plain: number;
  /** The most bytes that one commit wrote over the size of its own change. */
  readonly costliest: number;
  readonly chain: readonly number[];
}

/** Plays a line of commits. A layer is known by the bytes of data that were ever changed in it. */
function play({ base, commits, change, union = (bytes) => bytes, metadata = METADATA }: History): Outcome {
  const sizeOf = (data: number): number => Math.ceil(union(data)) + metadata;
  const data: number[] = [];
  let outcome = { deepest: 1, written: 0, plain: 0, costliest: 0, chain: [base] };
  for (let commit = 0; commit < commits; commit += 1) {
    const changed = change(commit);
    const count = layersToMerge(outcome.chain, sizeOf(changed));
    assert.ok(count >= 0 && count < outcome.chain.length, 'the first layer stays');
    const merged = count === 0 ? [] : data.splice(-count);
    const layer = merged.reduce((sum, bytes) => sum + bytes, changed);
    data.push(layer);
    const chain = [...outcome.chain.slice(0, outcome.chain.length - count), sizeOf(layer)];
    outcome = {
      deepest: Math.max(outcome.deepest, chain.length),
      written: outcome.written + sizeOf(layer),
      plain: outcome.plain + sizeOf(changed),
      costliest: Math.max(outcome.costliest, sizeOf(layer) - sizeOf(changed)),
      chain,
    };
  }
  return outcome;
}

const random = seededRandom(SEED);
const even = { base: 10 * GiB, commits: 1000, change: () => 10 * MiB };

/** Bytes written over those of plain deltas, at most. */
const histories: Readonly<Record<string, History & { readonly ratio: number }>> = {
  'even changes, no two of which overlap': { ...even, ratio: 3 },
  'at random, so that the changes overlap': {
    ...even,
    union: (bytes) => 10 * GiB * (1 - Math.exp(-bytes / (10 * GiB))),
    ratio: 3,
  },
  'the same clusters again and again': { ...even, union: (bytes) => Math.min(bytes, 10 * MiB), ratio: 1 },
  'no base to speak of': { ...even, base: METADATA, ratio: 3 },
  'changes far smaller than their tables': { ...even, base: 64 * MiB, change: () => 65_536, ratio: 1.5 },
  'sizes that differ a little': { ...even, change: () => (9 + 2 * random()) * MiB, ratio: 3 },
  'sizes that differ a lot': { ...even, change: () => 3 * MiB * Math.exp(6 * random() - 3), ratio: 4 },
  'many small ones and one huge': { ...even, change: (at) => (at === 500 ? 5 * GiB : MiB), ratio: 2 },
  'now large, now small': { ...even, change: (at) => (at % 2 === 0 ? 20 * MiB : MiB), ratio: 3 },
  'every tenth large': { ...even, change: (at) => (at % 10 === 0 ? 100 * MiB : MiB), ratio: 4 },
  'larger and larger': { ...even, change: (at) => (1 + at) * 20 * KiB, ratio: 3 },
  'smaller and smaller': { ...even, change: (at) => (1000 - at) * 20 * KiB, ratio: 3 },
};

for (const [what, { ratio, ...history }] of Object.entries(histories)) {
  test(`1,000 commits: no chain is deeper than 32, at most ${ratio} times plain deltas: ${what}`, (t) => {
    const { deepest, written, plain } = play(history);
    t.diagnostic(`deepest ${deepest}, ${(written / plain).toFixed(2)} times plain deltas`);
    assert.ok(deepest <= 32, `${deepest} layers`);
    assert.ok(written <= ratio * plain, `${written / plain} times`);
  });
}

test('cost and depth grow as the logarithm of the commits', () => {
  const { deepest, written, plain } = play({
    ...even,
    commits: 100_000,
    change: () => MiB,
    base: 1000 * GiB,
  });
  assert.ok(deepest <= 32, `${deepest} layers`);
  assert.ok(written <= 6 * plain, `${written / plain} times`);
});

test('a chain of 16 layers is left alone, a longer one is not', () => {
  const upper = (count: number): number[] => [GiB, ...new Array<number>(count - 1).fill(MiB)];
  assert.equal(layersToMerge(upper(15), MiB), 0);
  assert.equal(layersToMerge(upper(16), MiB), 15);
});

test('a small commit never pays for a large layer, and nobody for the base', () => {
  const chain = [GiB, ...new Array<number>(30).fill(100 * MiB)];
  assert.equal(layersToMerge(chain, MiB), 0);
  assert.equal(layersToMerge([...chain, MiB, MiB, MiB], MiB), 3);
  assert.equal(layersToMerge(new Array<number>(40).fill(MiB), MiB), 39);
  const { chain: later } = play({ ...even, commits: 5000 });
  assert.equal(later[0], even.base);
});

test('what one commit writes is bounded: by 4 GiB, the largest layer, or an eighth of the chain', () => {
  const cut = new Array<number>(20).fill(2 * GiB);
  for (let at = 0; at < 200; at += 1) {
    const { costliest, chain } = play({ base: METADATA, commits: at, change: () => 700 * MiB });
    const total = chain.reduce((sum, size) => sum + size, 0);
    assert.ok(costliest <= Math.max(4 * GiB, total / 8, ...chain), `${costliest} bytes after ${at} commits`);
  }
  assert.equal(layersToMerge(cut, 1.5 * GiB), 0);
});

test('layers that cannot be merged do not stop it: a base in many layers, an adopted chain', () => {
  const base = new Array<number>(40).fill(5 * GiB);
  let chain = base;
  for (let at = 0; at < 500; at += 1) {
    const count = layersToMerge(chain, MiB);
    const merged = chain.slice(chain.length - count).reduce((sum, size) => sum + size, MiB);
    chain = [...chain.slice(0, chain.length - count), merged];
    assert.deepEqual(chain.slice(0, 40), base);
    assert.ok(chain.length <= 40 + 16, `${chain.length} layers`);
  }
});
