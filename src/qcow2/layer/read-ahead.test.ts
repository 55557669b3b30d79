import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAhead } from './read-ahead.ts';

test('the next item is asked for while one is in hand, and no further one', async () => {
  let made = 0;
  async function* items(): AsyncGenerator<number> {
    for (; made < 5; ) yield made++;
  }
  const seen: number[] = [];
  for await (const item of readAhead(items())) {
    seen.push(item);
    assert.equal(made, Math.min(item + 2, 5));
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
});

test('a failure comes after the items before it, also if nobody was waiting', async () => {
  async function* items(): AsyncGenerator<number> {
    yield 1;
    throw new Error('gone');
  }
  const ahead = readAhead(items());
  assert.deepEqual(await ahead.next(), { done: false, value: 1 });
  await new Promise(setImmediate);
  await assert.rejects(ahead.next(), /gone/);
});

test('who leaves early waits for what was asked for, and the items are told', async () => {
  const events: string[] = [];
  async function* items(): AsyncGenerator<number> {
    try {
      yield 1;
      await new Promise(setImmediate);
      events.push('second read');
      yield 2;
    } finally {
      events.push('left');
    }
  }
  for await (const _ of readAhead(items())) break;
  assert.deepEqual(events, ['second read', 'left']);
});
