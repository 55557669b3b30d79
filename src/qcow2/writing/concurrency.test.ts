import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InFlight } from '../in-flight.ts';
import { TaskGroup } from '../task-group.ts';
import { ClusterLocks } from './cluster-locks.ts';
import { Mutex } from './mutex.ts';

/** What was pushed when everything that can happen by itself has happened. */
async function settled<T>(log: T[]): Promise<T[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return [...log];
}

describe('what keeps concurrent requests apart', () => {
  it('runs the jobs of a mutex one at a time, in order, also after one that failed', async () => {
    const mutex = new Mutex();
    const log: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = mutex.run(async () => {
      log.push('first');
      await promise;
      throw new Error('failed');
    });
    const second = mutex.run(async () => log.push('second'));
    assert.deepEqual(await settled(log), ['first']);
    resolve();
    await assert.rejects(first, /failed/);
    await second;
    assert.deepEqual(log, ['first', 'second']);
  });

  it('locks clusters against those who want the same ones', async () => {
    const locks = new ClusterLocks();
    const log: string[] = [];
    const release = await locks.acquire(10, 20);
    const others = [
      locks.acquire(20, 30).then((done) => [log.push('20-30'), done] as const),
      locks.acquire(30, 40).then((done) => [log.push('30-40'), done] as const),
      locks.acquire(21, 29).then((done) => [log.push('21-29'), done] as const),
    ];
    assert.deepEqual(await settled(log), ['30-40', '21-29']);
    release();
    assert.deepEqual(await settled(log), ['30-40', '21-29']);
    for (const other of others.slice(1)) (await other)[1]();
    assert.deepEqual(await settled(log), ['30-40', '21-29', '20-30']);
  });

  it('waits for those in flight that entered before, and for no others', async () => {
    const inFlight = new InFlight();
    const log: string[] = [];
    await inFlight.drained();
    const [before, alsoBefore] = [inFlight.enter(), inFlight.enter()];
    const drained = inFlight.drained().then(() => log.push('drained'));
    const later = inFlight.enter();
    inFlight.leave(before);
    assert.deepEqual(await settled(log), []);
    inFlight.leave(alsoBefore);
    await drained;
    const again = inFlight.drained().then(() => log.push('again'));
    assert.deepEqual(await settled(log), ['drained']);
    inFlight.leave(later);
    await again;
  });

  it('ends a group of tasks when every one has ended, with the first error', async () => {
    const group = new TaskGroup();
    const log: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    group.add(Promise.reject(new Error('one')));
    group.add(promise);
    group.add(Promise.reject(new Error('two')));
    const ended = group.end().finally(() => log.push('ended'));
    ended.catch(() => {});
    assert.deepEqual(await settled(log), []);
    resolve();
    await assert.rejects(ended, /one/);
  });
});
