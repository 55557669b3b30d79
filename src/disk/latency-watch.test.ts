import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyWatch } from './latency-watch.ts';

/** Makes reads that each take so many milliseconds, and tells how many reads the watch then does not allow. */
function pausesAfter(times: number[]): number[] {
  let now = 0;
  const watch = new LatencyWatch({ slow: 0.2, pause: 4, longestPause: 16, clock: () => now });
  return times.map((time) => {
    watch.time(() => (now += time));
    let pause = 0;
    while (!watch.allows()) pause += 1;
    return pause;
  });
}

test('quick reads keep the fast path', () => {
  assert.deepEqual(pausesAfter([0.002, 0.1, 0.19]), [0, 0, 0]);
});

test('a slow read pauses it for a number of reads, and slow probes for ever more, up to a limit', () => {
  assert.deepEqual(pausesAfter([0.3, 0.3, 9, 0.3, 0.3]), [4, 8, 16, 16, 16]);
});

test('a quick probe opens it again, and the next pause is short again', () => {
  assert.deepEqual(pausesAfter([0.3, 0.3, 0.1, 0.3]), [4, 8, 0, 4]);
});

test('a long call may take as much longer as copying its bytes does', () => {
  let now = 0;
  const watch = new LatencyWatch({ slow: 0.2, pause: 1, clock: () => now });
  watch.time(() => (now += 0.4), 2 ** 20);
  assert.equal(watch.allows(), true);
  watch.time(() => (now += 0.5), 2 ** 20);
  assert.equal(watch.allows(), false);
});

test('a read that fails is judged too, and its error passes through', () => {
  let now = 0;
  const watch = new LatencyWatch({ pause: 1, clock: () => now });
  const failure = new Error('EIO');
  const read = () => {
    now += 50;
    throw failure;
  };
  assert.throws(() => watch.time(read), failure);
  assert.equal(watch.allows(), false);
  assert.equal(watch.allows(), true);
});
