import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { lock, tryLock, unlock } from './file-lock.ts';
import type { HostFile } from './host-file.ts';
import { openFile } from './open-file.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

/** A new file, opened several times. */
async function openTimes(t: TestContext, count: number): Promise<HostFile[]> {
  made += 1;
  const first = await openFile(folder.join(`${made}`), { create: true });
  const files = [first];
  while (files.length < count) files.push(await openFile(first.path, { writable: true }));
  t.after(() => Promise.all(files.map((file) => file.close())));
  return files;
}

/** Another process that holds the lock of a file until it is told to end. */
async function lockElsewhere(t: TestContext, path: string) {
  const source = `
    import { lock, openFile } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const file = await openFile(process.argv[1], { writable: true });
    await lock(file);
    process.stdout.write('locked');
    process.stdin.resume().on('end', () => file.close());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return { child, locked: once(child.stdout, 'data') };
}

/** Whether the kernel says that the file is locked, or that somebody waits for it to be. */
function isKnown(file: HostFile, what: 'locked' | 'waited for'): boolean {
  const line = new RegExp(`^\\d+: ${what === 'locked' ? '' : '-> '}OFDLCK .*:${file.stat().inode} `, 'm');
  return line.test(readFileSync('/proc/locks', 'utf8'));
}

/** Resolves when somebody waits for the lock of the file. The kernel tells nobody by itself. */
async function untilWaiting(file: HostFile): Promise<void> {
  while (!isKnown(file, 'waited for')) await setImmediate();
}

/** Returns when the kernel has given the lock to whoever waited, and before this thread can hear of that. */
function untilGiven(file: HostFile): void {
  while (!isKnown(file, 'locked'));
}

/** Begins to wait for the lock of a file that is held, and gives up. */
async function giveUp(file: HostFile): Promise<void> {
  const controller = new AbortController();
  const waiting = lock(file, { signal: controller.signal });
  await untilWaiting(file);
  controller.abort();
  await assert.rejects(waiting, { code: 'aborted' });
}

describe('tryLock', () => {
  it('gives the lock to one of two, until that one unlocks or closes', async (t) => {
    const [one, two] = await openTimes(t, 2);
    assert.ok(one && two);
    assert.equal(tryLock(one), true);
    assert.equal(tryLock(two), false);
    unlock(two);
    assert.equal(tryLock(two), false);
    unlock(one);
    assert.equal(tryLock(two), true);
    await two.close();
    assert.equal(tryLock(one), true);
  });

  it('refuses a file that is closed, or not writable', async (t) => {
    const [file] = await openTimes(t, 1);
    assert.ok(file);
    await using reading = await openFile(file.path);
    assert.throws(() => tryLock(reading), { code: 'io', message: /^cannot lock .*: EBADF/ });
    await file.close();
    assert.throws(() => tryLock(file), { code: 'closed' });
    assert.throws(() => unlock(file), { code: 'closed' });
    await assert.rejects(lock(file), { code: 'closed' });
  });
});

describe('lock', () => {
  it('waits for another process, and goes on when that one ends, even by SIGKILL', async (t) => {
    const [file] = await openTimes(t, 1);
    assert.ok(file);
    for (const end of ['stdin', 'SIGKILL'] as const) {
      const { child, locked } = await lockElsewhere(t, file.path);
      await locked;
      assert.equal(tryLock(file), false);
      const waiting = lock(file);
      await untilWaiting(file);
      if (end === 'stdin') child.stdin.end();
      else child.kill('SIGKILL');
      await waiting;
      unlock(file);
    }
  });

  it('keeps another process waiting', async (t) => {
    const [file] = await openTimes(t, 1);
    assert.ok(file);
    await lock(file);
    const { locked } = await lockElsewhere(t, file.path);
    await untilWaiting(file);
    unlock(file);
    await locked;
    assert.equal(tryLock(file), false);
  });

  it('lets many of this process in one by one, while their holder uses the thread pool', async (t) => {
    const files = await openTimes(t, 12);
    let inside = 0;
    let passed = 0;
    await Promise.all(
      files.map(async (file) => {
        await lock(file);
        inside += 1;
        assert.equal(inside, 1);
        await file.write(Buffer.alloc(1000), 0);
        await file.datasync();
        inside -= 1;
        passed += 1;
        unlock(file);
      }),
    );
    assert.equal(passed, 12);
  });

  it('is at once when the signal has come before, and at once when it comes', async (t) => {
    const [holder, file] = await openTimes(t, 2);
    assert.ok(holder && file);
    const reason = new Error('enough');
    await assert.rejects(lock(file, { signal: AbortSignal.abort(reason) }), {
      code: 'aborted',
      cause: reason,
    });
    await lock(holder);
    const controller = new AbortController();
    const waiting = lock(file, { signal: controller.signal });
    await untilWaiting(file);
    controller.abort(reason);
    await assert.rejects(waiting, { code: 'aborted', cause: reason });
    assert.equal(tryLock(file), false, 'it is still the other one’s');
    unlock(holder);
  });

  it('gives back what arrives after an abort', async (t) => {
    const [holder, file, next] = await openTimes(t, 3);
    assert.ok(holder && file && next);
    await lock(holder);
    await giveUp(file);
    unlock(holder);
    untilGiven(file);
    assert.equal(tryLock(next), false);
    await lock(next);
  });

  it('keeps what arrives after an abort if it is wanted again by then', async (t) => {
    const [holder, file, other] = await openTimes(t, 3);
    assert.ok(holder && file && other);
    for (const again of [tryLock, lock]) {
      await lock(holder);
      await giveUp(file);
      unlock(holder);
      untilGiven(file);
      await again(file);
      for (let turn = 0; turn < 20; turn += 1) await setImmediate();
      assert.equal(tryLock(other), false);
      unlock(file);
    }
  });

  it('goes on with a wait that was given up if it is wanted again before its end', async (t) => {
    const [holder, file, other] = await openTimes(t, 3);
    assert.ok(holder && file && other);
    await lock(holder);
    await giveUp(file);
    const waiting = lock(file);
    unlock(holder);
    await waiting;
    assert.equal(tryLock(other), false);
  });

  it('touches no other file that has the number of one that was closed after an abort', async (t) => {
    const [holder, file, other] = await openTimes(t, 3);
    const [unrelated] = await openTimes(t, 1);
    assert.ok(holder && file && other && unrelated);
    await lock(holder);
    await giveUp(file);
    await file.close();
    await using next = await openFile(unrelated.path, { writable: true });
    assert.equal(next.fd, file.fd, 'the number of the descriptor is given out again');
    await lock(next);
    unlock(holder);
    untilGiven(other);
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    assert.equal(tryLock(unrelated), false);
    assert.equal(tryLock(other), true);
  });

  it('fails when the file is closed while it waits, and then holds nothing', async (t) => {
    const [holder, file, other] = await openTimes(t, 3);
    assert.ok(holder && file && other);
    await lock(holder);
    const waiting = lock(file);
    await untilWaiting(file);
    await file.close();
    unlock(holder);
    await assert.rejects(waiting, { code: 'closed' });
    assert.equal(tryLock(other), true);
  });
});
