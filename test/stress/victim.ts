// A process to be killed: `victim.ts FILLED FOLDER OPERATION...` does each of the operations again and again, all at a
// time, each time on a fresh copy `FOLDER/<lane>-<round>` of the filled store, and says when it begins and when it is
// done. After the first round, in which modules are loaded, it says how many milliseconds that took and waits for a
// line.
import { once } from 'node:events';
import { cpSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/store/index.ts';
import { everyOperation } from '../support/expected-states.ts';

const [filled = '', folder = '', ...names] = process.argv.slice(2);

// Written synchronously: what the other side has read has happened, whenever this process dies.
const say = (what: string, lane: number, round: number) => writeSync(1, `${what} ${lane} ${round}\n`);

async function perform(name: string, lane: number, round: number): Promise<void> {
  const copy = join(folder, `${lane}-${round}`);
  cpSync(filled, copy, { recursive: true });
  const store = await openStore(copy, { create: false });
  say('begin', lane, round);
  await everyOperation[name]?.(store);
  say('done', lane, round);
}

async function repeat(name: string, lane: number): Promise<never> {
  for (let round = 1; ; round += 1) await perform(name, lane, round);
}

const began = performance.now();
await Promise.all(names.map((name, lane) => perform(name, lane, 0)));
writeSync(1, `ready ${performance.now() - began}\n`);
await once(process.stdin, 'data');
await Promise.all(names.map(repeat));
