import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStore } from '../../src/store/index.ts';
import { ExpectedStates, everyOperation } from '../support/expected-states.ts';
import { startNode } from '../support/node.ts';
import { type Running, report } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { assertSound } from '../support/store-state.ts';
import { rounds, SEED } from '../support/suite.ts';

const names = Object.keys(everyOperation);
const random = seededRandom(SEED);

/** Operations that one process is in the middle of, each on a store of its own: a kill strikes them all. */
const LANES = 8;
const KILLS = rounds(10, 2000);

let expected: ExpectedStates;
const over = new AbortController();
before(async () => {
  expected = await ExpectedStates.make();
});
after(async () => {
  over.abort();
  await expected[Symbol.asyncDispose]();
});

/** A process that was started to do these operations, and may have to be waited for. */
interface Victim {
  readonly names: readonly string[];
  readonly folder: string;
  readonly running: Running;
}

/** The last that an operation's lane said before the process died: whether it was done, and in which store. */
interface LastWords {
  readonly name: string;
  readonly folder: string;
  readonly done: boolean;
}

async function startVictim(kill: number): Promise<Victim> {
  const lanes = Array.from({ length: LANES }, (_, lane) => kill * LANES + lane);
  const chosen = lanes.map((at) => names[at % names.length] ?? '');
  const folder = await expected.place(`killed-${kill}`);
  const program = fileURLToPath(new URL('victim.ts', import.meta.url));
  const args = [expected.scene.store.folder, folder, ...chosen];
  return { names: chosen, folder, running: startNode(program, args, { signal: over.signal }) };
}

/** Lets it work for a random time, up to what it takes on this machine, now, to do everything once or twice. */
async function killVictim({ names: chosen, folder, running }: Victim): Promise<LastWords[]> {
  await said(running, /^ready .*\n/m);
  const [, took] = /^ready (.*)$/m.exec(running.stdout()) ?? [];
  running.child.stdin?.write('go\n');
  await said(running, /^begin \d+ 1$/m);
  await setTimeout(random() * Number(took));
  running.child.kill('SIGKILL');
  const ran = await running.ended;
  assert.equal(ran.signal, 'SIGKILL', report(ran));
  const lines = ran.stdout.split('\n').map((line) => line.split(' '));
  return chosen.map((name, lane) => {
    const [what, , round] = lines.findLast((words) => words[1] === String(lane)) ?? [];
    return { name, folder: join(folder, `${lane}-${round}`), done: what === 'done' };
  });
}

async function said(running: Running, what: RegExp): Promise<void> {
  const ended = running.ended.then(() => 'ended');
  while (!what.test(running.stdout())) {
    const next = await Promise.race([once(running.child.stdout ?? running.child, 'data'), ended]);
    if (next === 'ended') assert.fail(report(await running.ended));
  }
}

/** Asserts that the operation happened as a whole or not at all, and did if that was said; and that life goes on. */
async function check({ name, folder, done }: LastWords): Promise<void> {
  const state = await expected.in(folder);
  const later = await expected.later(name);
  const happened = state === later;
  if (done) assert.equal(state, later, `${name} was acknowledged`);
  else if (!happened) assert.equal(state, await expected.earlier, `${name} was killed`);
  const store = await openStore(folder, { create: false });
  await assertSound(store, name);
  // What has not happened can be done now: that is asked of every fourth.
  if (happened || random() > 0.25) return;
  await everyOperation[name]?.(store);
  assert.equal(await expected.in(folder), later, `${name} was done again`);
}

test(`nothing is lost by ${KILLS} kills -9, each in the middle of ${LANES} operations`, async (t) => {
  t.diagnostic(`CALVE_SEED=${SEED}`);
  const inside = new Map<string, number>(names.map((name) => [name, 0]));
  let next: Promise<Victim> | undefined = startVictim(0);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const victim: Victim = (await next) ?? assert.fail();
    const lastWords = await killVictim(victim);
    // The next one warms up while it is looked at what this one left.
    next = kill + 1 < KILLS ? startVictim(kill + 1) : undefined;
    for (const last of lastWords) {
      if (!last.done) inside.set(last.name, (inside.get(last.name) ?? 0) + 1);
      await check(last);
    }
    await rm(victim.folder, { recursive: true });
  }

  t.diagnostic([...inside].map(([name, count]) => `${name} ${count}`).join(', '));
  const total = [...inside.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${total} of ${KILLS * LANES} operations were killed inside`);
  assert.ok(total > (KILLS * LANES) / 2);
});
