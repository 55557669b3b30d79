import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { CalveError } from '../../errors/index.ts';
import type { ClusterBatch } from './cluster-batch.ts';
import { type CompressorPool, openCompressorPool, type PoolOptions } from './compressor-pool.ts';
import { decompressCluster } from './decompress-cluster.ts';

const CLUSTER = 4096;
const codec = { compression: 'zstd', level: 3, clusterSize: CLUSTER } as const;
const threaded: PoolOptions = { ...codec, threads: 2, inlineBytes: 0 };

/** Batches of very different cost: cluster `n` of all is text of `n`, or noise where `n` is a multiple of 7. */
function makeBatch(first: number, count: number): ClusterBatch & { first: number } {
  const input = new Uint8Array(count * CLUSTER);
  for (let at = 0; at < count; at += 1) input.set(clusterOf(first + at), at * CLUSTER);
  const chosen = Array.from({ length: count }, (_, at) => at);
  return { first, input, output: new Uint8Array(input.length), chosen, lengths: [] };
}

function clusterOf(n: number): Uint8Array {
  return n % 7 === 0 ? randomBytes(CLUSTER) : Buffer.alloc(CLUSTER, `cluster ${n} `);
}

async function* makeBatches(counts: readonly number[]): AsyncGenerator<ClusterBatch & { first: number }> {
  let first = 0;
  for (const count of counts) {
    yield makeBatch(first, count);
    first += count;
  }
}

function checkBatch(batch: ClusterBatch & { first: number }, type: 'zlib' | 'zstd'): void {
  assert.equal(batch.lengths.length, batch.chosen.length);
  let at = 0;
  batch.lengths.forEach((length, n) => {
    const cluster = batch.input.subarray(n * CLUSTER, (n + 1) * CLUSTER);
    assert.equal(length === 0, (batch.first + n) % 7 === 0, 'noise is no gain, text is');
    if (length === 0) return;
    const unpacked = new Uint8Array(CLUSTER);
    decompressCluster(type, batch.output.subarray(at, at + length), unpacked);
    assert.deepEqual(unpacked, cluster);
    at += length;
  });
}

async function compressAll(
  pool: CompressorPool,
  counts: readonly number[],
): Promise<(ClusterBatch & { first: number })[]> {
  return Array.fromAsync(pool.compress(makeBatches(counts)));
}

for (const compression of ['zstd', 'deflate'] as const) {
  test(`${compression}: threads return every batch, in the order in which it came`, async () => {
    await using pool = await openCompressorPool({ ...threaded, compression });
    const counts = Array.from({ length: 60 }, (_, n) => (n % 5 === 0 ? 200 : n % 3));
    const batches = await compressAll(pool, counts);
    assert.equal(pool.threads, 2);
    assert.deepEqual(
      batches.map((batch) => batch.chosen.length),
      counts,
    );
    for (const batch of batches) checkBatch(batch, compression === 'zstd' ? 'zstd' : 'zlib');
  });
}

test('a few clusters are compressed without starting a thread, to the same bytes', async () => {
  // No other test left a thread of this level.
  await using inline = await openCompressorPool({ ...codec, level: 5 });
  await using pool = await openCompressorPool({ ...threaded, level: 5 });
  const [here] = await compressAll(inline, [6]);
  const [there] = await compressAll(pool, [6]);
  assert.equal(inline.threads, 0);
  assert.equal(pool.threads, 1);
  assert.ok(here && there);
  const end = here.lengths.slice(1).reduce((a, b) => a + b);
  assert.deepEqual(here.lengths.slice(1), there.lengths.slice(1));
  assert.deepEqual(here.output.subarray(0, end), there.output.subarray(0, end));
});

test('threads that a pool left are taken by the next one, which compresses nothing itself', async () => {
  const other = { ...codec, level: 6, threads: 1 };
  const started: Worker[] = [];
  const note = (worker: Worker): void => void started.push(worker);
  process.on('worker', note);
  {
    await using first = await openCompressorPool({ ...other, inlineBytes: 0 });
    await compressAll(first, [1]);
  }
  await using second = await openCompressorPool(other);
  assert.equal(second.threads, 1);
  await compressAll(second, [1]);
  process.off('worker', note);
  assert.equal(started.length, 1);
});

test('only a few batches are taken before the first one is passed on', async () => {
  await using pool = await openCompressorPool(threaded);
  let made = 0;
  async function* endless(): AsyncGenerator<ClusterBatch> {
    for (;;) yield makeBatch(made++, 1);
  }
  let passed = 0;
  for await (const _ of pool.compress(endless())) {
    passed += 1;
    assert.ok(made - passed < 4, `${made} made, ${passed} passed on`);
    if (passed === 50) break;
  }
});

test('a thread that is killed rejects what it had and what comes later', async () => {
  // No other test left a thread of this level.
  await using pool = await openCompressorPool({ ...threaded, level: 4, threads: 1 });
  const started: Promise<unknown[]> = once(process, 'worker');
  const compressing = compressAll(pool, [50, 50, 50]);
  compressing.catch(() => {});
  const [worker] = (await started) as [Worker];
  await worker.terminate();
  await assert.rejects(compressing, (error) => CalveError.is(error, 'io') && /exited/.test(error.message));
  await assert.rejects(compressAll(pool, [1]), (error) => CalveError.is(error, 'io'));
});

test('a thread that throws rejects', async () => {
  await using pool = await openCompressorPool({ ...threaded, threads: 1 });
  const bad = { ...makeBatch(0, 1), output: new Uint8Array(1), chosen: [0, 0] };
  bad.input.fill(1);
  await assert.rejects(
    Array.fromAsync(
      pool.compress(
        (async function* () {
          yield bad;
        })(),
      ),
    ),
    (error) => CalveError.is(error, 'io') && error.cause instanceof RangeError,
  );
});

test('an abort ends what is under way', async () => {
  const controller = new AbortController();
  await using pool = await openCompressorPool({ ...threaded, signal: controller.signal });
  const rejected = assert.rejects(
    async () => {
      for await (const batch of pool.compress(makeBatches(Array.from({ length: 100 }, () => 50)))) {
        if (batch.first === 0) controller.abort(new Error('enough'));
      }
    },
    (error) => CalveError.is(error, 'aborted') && error.cause === controller.signal.reason,
  );
  await rejected;
  const late = await openCompressorPool({ ...codec, signal: controller.signal });
  await assert.rejects(compressAll(late, [1]), (error) => CalveError.is(error, 'aborted'));
});

// Node would abort the whole process if a thread were terminated there: 30 rounds did that reliably.
test('a pool may be closed at any moment of its threads, also while they make a context of zstd', async () => {
  for (let round = 0; round < 30; round += 1) {
    await using pool = await openCompressorPool(threaded);
    const counts = Array<number>(20).fill(16);
    for await (const { first } of pool.compress(makeBatches(counts))) if (first >= 16 * (round % 5)) break;
  }
});

test('a pool takes the threads that another one left, if they compress alike', async () => {
  let started = 0;
  const count = () => (started += 1);
  process.on('worker', count);
  try {
    for (const level of [7, 7, 8, 7]) {
      await using pool = await openCompressorPool({ ...threaded, level, threads: 1 });
      for (const batch of await compressAll(pool, [4, 4])) checkBatch(batch, 'zstd');
    }
    assert.equal(started, 2);
  } finally {
    process.off('worker', count);
  }
});

test('a closed pool refuses, and closes twice', async () => {
  const pool = await openCompressorPool(threaded);
  await compressAll(pool, [3, 3]);
  await pool.close();
  await pool.close();
  await assert.rejects(compressAll(pool, [1]), (error) => CalveError.is(error, 'closed'));
});

test('a source that fails is what the caller hears of', async () => {
  await using pool = await openCompressorPool(threaded);
  async function* failing(): AsyncGenerator<ClusterBatch> {
    yield makeBatch(0, 50);
    throw new CalveError('io', 'the source is gone');
  }
  await assert.rejects(Array.fromAsync(pool.compress(failing())), /the source is gone/);
});

test('a level that the compression does not have is refused', async () => {
  for (const [compression, level] of [
    ['zstd', 23],
    ['zstd', 0],
    ['deflate', 10],
    ['deflate', 1.5],
  ] as const) {
    await assert.rejects(openCompressorPool({ ...codec, compression, level }), (error) =>
      CalveError.is(error, 'usage'),
    );
  }
});
