import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InFlight } from '../in-flight.ts';
import { TaskGroup } from '../task-group.ts';
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
