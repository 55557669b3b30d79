import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { lock, openFile } from '../../src/host/index.ts';
import { type Running, report, run } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallStore } from './small-store.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

test('SIGINT during an import exits 130 and leaves the store as before', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const disk = folder.join('noise.raw');
  await writeFile(disk, randomBytes(256 << 20));
  const before = await contents(calve.store);

  const running = calve.start(['import', disk, 'noise']);
  // It says how far it is after a second, in the midst of the work.
  await said(running, /reading noise\.raw: \d+%/);
  running.child.kill('SIGINT');
  const ran = await running.ended;
  assert.deepEqual([ran.code, ran.signal], [130, null], report(ran));
  assert.match(ran.stderr, /^calve: interrupted$/m, report(ran));
  assert.equal(ran.stdout, '');
  assert.deepEqual(await contents(calve.store), before);
  assert.equal(await calve.ok('images', '-q'), 'disk:1');
});

test('SIGINT while another holds the store ends the process within seconds, a second one at once', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const path = join(calve.store, 'lock');
  await using file = await openFile(path, { writable: true });
  await lock(file);

  const patient = calve.start(['tag', 'disk:1', 'other']);
  await waitsForLock(path, 1);
  patient.child.kill('SIGINT');
  const leftAlone = await patient.ended;
  assert.equal(leftAlone.signal, 'SIGINT', report(leftAlone));

  // Left alone it takes two seconds; a busy machine may take as long for anything, so that one time of ten will do.
  let fastest = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 10 && fastest > 1500; tries += 1) {
    const hasty = calve.start(['tag', 'disk:1', 'other']);
    await waitsForLock(path, 1);
    const began = performance.now();
    hasty.child.kill('SIGINT');
    // Two signals that are pending at once are one signal.
    while (await isPending(hasty.pid)) await setTimeout(5);
    hasty.child.kill('SIGINT');
    const hurried = await hasty.ended;
    assert.equal(hurried.signal, 'SIGINT', report(hurried));
    fastest = Math.min(fastest, performance.now() - began);
  }
  assert.ok(fastest < 1500, 'the second signal did not end it at once');
});

test('a reader of stdout that goes away ends the command quietly', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const ran = await run(
    '/bin/bash',
    ['-c', `"$0" "$1" log | true; echo "\${PIPESTATUS[0]}"`, process.execPath, MAIN],
    {
      env: { CALVE_STORE: calve.store },
    },
  );
  assert.deepEqual([ran.stdout, ran.stderr], ['0\n', ''], report(ran));
});

test('stdout that cannot be written is a failure', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const ran = await run('/bin/bash', ['-c', `"$0" "$1" ls > /dev/full`, process.execPath, MAIN], {
    env: { CALVE_STORE: calve.store },
  });
  assert.equal(ran.code, 1, report(ran));
  assert.match(ran.stderr, /^calve: cannot write to stdout: .*ENOSPC.*\n$/, report(ran));
});

/** Every file of a store with its size, and the text of the index. */
async function contents(store: string): Promise<unknown> {
  const files: [string, number][] = [];
  for (const entry of await readdir(store, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.push([path, (await stat(path)).size]);
  }
  return { files: files.sort(), index: await readFile(join(store, 'index.json'), 'utf8') };
}

/** Resolves when a program has said something on stderr; rejects when it ends without. */
async function said(running: Running, words: RegExp): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    running.child.stderr?.on('data', () => {
      if (words.test(running.stderr())) resolve();
    });
    running.ended.then((ran) => reject(new Error(report(ran))), reject);
  });
}

/** Whether a SIGINT was sent to a process that has not taken it yet. */
async function isPending(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)].some(
    ([, mask]) => (BigInt(`0x${mask}`) & (1n << BigInt(constants.signals.SIGINT - 1))) !== 0n,
  );
}

/** Resolves when so many processes wait for the lock of a file. The kernel tells nobody, so it is asked again and again. */
async function waitsForLock(path: string, count: number): Promise<void> {
  const { ino } = await stat(path);
  const waiting = async (): Promise<number> =>
    (await readFile('/proc/locks', 'utf8'))
      .split('\n')
      .filter((line) => line.includes('->') && line.includes(`:${ino} `)).length;
  while ((await waiting()) !== count) await setTimeout(5);
}
