import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ChangeGate } from './change-gate.ts';

it('a change of the whole image runs alone, and whoever comes later waits for it', async () => {
  const gate = new ChangeGate();
  const events: string[] = [];
  const job = (name: string, turns: number) => async () => {
    events.push(`${name} begins`);
    for (let count = 0; count < turns; count += 1) await turn();
    events.push(`${name} ends`);
  };
  const jobs = [
    gate.shared(job('a', 3)),
    gate.shared(job('b', 2)),
    gate.exclusive(job('alone', 2)),
    gate.shared(job('c', 1)),
    gate.exclusive(job('again', 1)),
  ];
  await gate.emptied();
  await Promise.all(jobs);
  assert.deepEqual(events.slice(0, 6), [
    'a begins',
    'b begins',
    'b ends',
    'a ends',
    'alone begins',
    'alone ends',
  ]);
  const [first, second, third, fourth] = events.slice(6).map((event) => event.split(' ')[0]);
  assert.ok(first === second && third === fourth, events.join(', '));
});

it('a job that fails lets the others in', async () => {
  const gate = new ChangeGate();
  const fail = async () => {
    throw new Error('no');
  };
  await assert.rejects(gate.exclusive(fail));
  await assert.rejects(gate.shared(fail));
  assert.equal(await gate.exclusive(async () => 7), 7);
  await gate.emptied();
});

it('what comes ahead of the first change runs once, for all that came at one time', async () => {
  const events: string[] = [];
  const job = (name: string) => async () => {
    events.push(name);
  };
  const gate = new ChangeGate(async () => {
    events.push('begins');
    await turn();
    events.push('begun');
  });
  await Promise.all([gate.shared(job('a')), gate.shared(job('b')), gate.exclusive(job('alone'))]);
  await gate.shared(job('c'));
  assert.deepEqual(events, ['begins', 'begun', 'a', 'b', 'alone', 'c']);
});

it('what comes ahead of the first change runs again when it failed, and that change did not run', async () => {
  const events: string[] = [];
  const gate = new ChangeGate(async () => {
    events.push('begins');
    if (events.length === 1) throw new Error('no');
  });
  await assert.rejects(gate.shared(async () => events.push('a')));
  await gate.exclusive(async () => events.push('b'));
  assert.deepEqual(events, ['begins', 'begins', 'b']);
});
