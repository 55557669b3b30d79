import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openStore, type Store } from '../../src/store/index.ts';
import { startNode } from '../support/node.ts';
import { type Running, report } from '../support/programs.ts';
import { LONG } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { BLOCK, BLOCKS, type Journal, TEXT } from './journal.ts';

const PROCESSES = LONG ? 50 : 16;
const { CALVE_STRESS_SECONDS } = process.env;
const seconds = Number(CALVE_STRESS_SECONDS ?? (LONG ? 60 : 15));

test(`${PROCESSES} processes that work on one store for ${seconds} s lose nothing`, async (t) => {
  await using folder = await temporaryFolder();
  const store = await openStore(folder.join('store'));
  const disk = folder.join('disk.raw');
  await writeFile(disk, randomBytes(BLOCKS * BLOCK));
  await store.versions.import(disk, { ref: 'base' });
  await store.refs.set('shared', 'base');

  const began = performance.now();
  const over = new AbortController();
  t.after(() => over.abort());
  // The first leaves what Node compiled behind for the others.
  const first = startWorker(store, PROCESSES, 0, over.signal);
  await ready(first);
  first.child.stdin?.write('go\n');
  await first.ended;
  const workers = Array.from({ length: PROCESSES }, (_, id) =>
    startWorker(store, id, seconds * 1000, over.signal),
  );
  await Promise.all(workers.map(ready));
  t.diagnostic(`ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  for (const worker of workers) worker.child.stdin?.write('go\n');
  const journals = await Promise.all([first, ...workers].map(journalOf));

  t.diagnostic(`done: ${sums(journals.map((journal) => journal.done))}`);
  t.diagnostic(`refused: ${sums(journals.map((journal) => journal.refused))}`);
  assert.deepEqual(
    journals.flatMap((journal) => journal.faults),
    [],
  );
  await checkRefs(store, journals);
  await checkEnvs(store, journals);
  await checkContents(store, journals);

  const { problems, checked } = await store.fsck();
  assert.deepEqual(problems, []);
  t.diagnostic(`fsck: ${JSON.stringify(checked)}`);
  await store.gc({ graceDays: 0 });
  for (const name of ['tmp', 'journal']) assert.deepEqual(await readdir(join(store.folder, name)), [], name);
  await checkRefs(store, journals);
});

function startWorker(store: Store, id: number, milliseconds: number, signal: AbortSignal): Running {
  const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
  return startNode(worker, [store.folder, String(id), String(milliseconds)], { signal });
}

async function ready(worker: Running): Promise<void> {
  const failed = worker.ended.then((ran) => assert.fail(report(ran)));
  while (!worker.stdout().startsWith('ready\n')) {
    await Promise.race([once(worker.child.stdout ?? worker.child, 'data'), failed]);
  }
}

async function journalOf(worker: Running): Promise<Journal> {
  const ran = await worker.ended;
  assert.equal(ran.code, 0, report(ran));
  const journal: Journal = JSON.parse(ran.stdout.slice('ready\n'.length));
  return journal;
}

function sums(counts: Readonly<Record<string, number>>[]): string {
  const total = new Map<string, number>();
  for (const [what, many] of counts.flatMap((one) => Object.entries(one)))
    total.set(what, (total.get(what) ?? 0) + many);
  return [...total].map(([what, many]) => `${what} ${many}`).join(', ');
}

async function checkRefs(store: Store, journals: Journal[]): Promise<void> {
  const told = journals.flatMap(({ refs }) => Object.entries(refs)).filter(([, version]) => version !== null);
  const found = (await store.refs.list()).filter(({ name }) => name.startsWith('own-'));
  const entries = found.map(({ name, version }) => [name, version]);
  assert.deepEqual(entries.sort(), told.sort());
}

async function checkEnvs(store: Store, journals: Journal[]): Promise<void> {
  const told = journals.flatMap(({ envs }) => Object.entries(envs));
  const found = (await store.envs.list()).filter(({ name }) => name.startsWith('own-'));
  assert.deepEqual(found.map(({ name, version }) => [name, version]).sort(), told.sort());
  const removed = journals.flatMap((journal) => journal.removed);
  const trash = (await store.trash.list()).map(({ name }) => name).filter((name) => name.startsWith('own-'));
  assert.deepEqual(trash.sort(), removed.sort());
}

async function checkContents(store: Store, journals: Journal[]): Promise<void> {
  const into = Buffer.alloc(TEXT);
  for (const [digest, content] of journals.flatMap(({ versions }) => Object.entries(versions))) {
    await using disk = await store.versions.openDisk(digest);
    for (const [block, text] of Object.entries(content)) {
      await disk.read(into, Number(block) * BLOCK);
      assert.equal(into.toString(), text, `${digest}, block ${block}`);
    }
  }
}
