import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RangeLocks } from './range-locks.ts';

test('jobs on ranges that overlap run in the order they came, others at the same time, also after a failure', async () => {
  const locks = new RangeLocks();
  const log: string[] = [];
  const { promise, reject } = Promise.withResolvers<void>();
  const first = locks.run(10, 21, () => promise);
  const others = [
    locks.run(20, 30, async () => log.push('20-30')),
    locks.run(30, 40, async () => log.push('30-40')),
    locks.run(21, 22, async () => log.push('21-22, after 20-30')),
  ];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(log, ['30-40']);
  reject(new Error('failed'));
  await assert.rejects(first, /failed/);
  await Promise.all(others);
  assert.deepEqual(log, ['30-40', '20-30', '21-22, after 20-30']);
});
