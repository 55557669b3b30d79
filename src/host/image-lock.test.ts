import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { type Running, report, run, start, succeed } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import type { HostFile } from './host-file.ts';
import { lockImage } from './image-lock.ts';
import { imageLockHolders } from './image-lock-holders.ts';
import { openFile } from './open-file.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

/** A path to a new qcow2 image. */
async function newImage(): Promise<string> {
  made += 1;
  await mkdir(folder.join(`${made}`));
  const path = folder.join(`${made}`, 'disk.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
  return path;
}

/** What qemu-io says of one command on an image. */
async function qemuIo(path: string, command: string, ...options: string[]): Promise<string> {
  return report(await run('qemu-io', [...options, '-f', 'qcow2', '-c', command, path]));
}

const QEMU_REFUSES =
  /Failed to get (shared )?"(write|consistent read|resize)" lock\nIs another process using the image/;

/** qemu-io with the image open until disposed of. */
async function hold(path: string, ...options: string[]): Promise<Running & AsyncDisposable> {
  const running = start('qemu-io', [...options, '-f', 'qcow2', path]);
  running.child.stdin?.write('read 0 512\n');
  await new Promise<void>((resolve, reject) => {
    running.child.stdout?.on('data', () => running.stdout().includes('read 512/512') && resolve());
    running.ended.then((ran) => reject(new Error(report(ran))), reject);
  });
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      running.child.stdin?.end('quit\n');
      await running.ended;
    },
  };
}

function inUse(file: HostFile, access: 'read' | 'write'): CalveError {
  try {
    lockImage(file, access);
  } catch (error) {
    assert.ok(CalveError.is(error, 'in-use'), String(error));
    return error;
  }
  assert.fail(`the ${access} lock was given`);
}

/** The bytes of a file that a process has locked, in words of the kernel without the lock's number. */
async function lockedBytes(pid: number | 'self', path: string): Promise<string[]> {
  const { ino } = await stat(path);
  const fdinfos = await readdir(`/proc/${pid}/fdinfo`);
  const texts = fdinfos.map((fd) => readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8').catch(() => ''));
  const lines = (await Promise.all(texts)).join('').match(/^lock:.*$/gm) ?? [];
  return lines
    .filter((line) => line.includes(`:${ino} `))
    .map((line) => line.replace(/^.*OFDLCK|\S+:\d+ /g, ''))
    .sort();
}

describe('lockImage', () => {
  for (const [access, ...options] of [['write'], ['read', '-r']] as const) {
    it(`for ${access === 'write' ? 'writing' : 'reading'} locks the very bytes that QEMU locks`, async () => {
      const [one, two] = [await newImage(), await newImage()];
      await using qemu = await hold(one, ...options);
      await using file = await openFile(two);
      using _lock = lockImage(file, access);
      const expected = await lockedBytes(qemu.pid, one);
      assert.ok(expected.length > 0);
      assert.deepEqual(await lockedBytes('self', two), expected);
    });
  }

  it('for writing keeps QEMU from writing and from reading, until it is released', async () => {
    const path = await newImage();
    await using file = await openFile(path, { writable: true });
    const lock = lockImage(file, 'write');
    assert.match(await qemuIo(path, 'write 0 512'), QEMU_REFUSES);
    assert.match(await qemuIo(path, 'read 0 512', '-r'), QEMU_REFUSES);
    lock.release();
    assert.match(await qemuIo(path, 'write 0 512'), /wrote 512\/512/);
  });

  it('for reading keeps QEMU from writing alone, until the file is closed', async () => {
    const path = await newImage();
    const file = await openFile(path);
    lockImage(file, 'read');
    assert.match(await qemuIo(path, 'read 0 512', '-r'), /read 512\/512/);
    assert.match(await qemuIo(path, 'write 0 512'), QEMU_REFUSES);
    await file.close();
    assert.match(await qemuIo(path, 'write 0 512'), /wrote 512\/512/);
  });

  it('fails while QEMU writes, and names it', async () => {
    const path = await newImage();
    await using file = await openFile(path, { writable: true });
    {
      await using qemu = await hold(path);
      for (const access of ['read', 'write'] as const) {
        const error = inUse(file, access);
        assert.equal(error.message, `${path} is in use by qemu-io (pid ${qemu.pid})`);
        const holders = [{ pid: qemu.pid, command: 'qemu-io', access: 'write' }];
        assert.deepEqual(error.data, { path, access, holders });
      }
      // The attempts left nothing behind that QEMU would see.
      assert.deepEqual(
        imageLockHolders(path).map(({ pid }) => pid),
        [qemu.pid],
      );
    }
    lockImage(file, 'write').release();
  });

  it('goes along with QEMU reading, and fails for writing', async () => {
    const path = await newImage();
    await using file = await openFile(path, { writable: true });
    await using qemu = await hold(path, '-r');
    await using other = await hold(path, '-r');
    lockImage(file, 'read').release();
    const { message, data } = inUse(file, 'write');
    for (const { pid } of [qemu, other]) assert.ok(message.includes(`qemu-io (pid ${pid})`), message);
    assert.ok(Array.isArray(data['holders']));
    assert.deepEqual(
      data['holders'].map(({ access }) => access),
      ['read', 'read'],
    );
  });

  it('keeps the backing file of an overlay that QEMU has open from being written', async () => {
    const path = await newImage();
    const overlay = `${path}.overlay`;
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', path, '-F', 'qcow2', overlay]);
    await using _qemu = await hold(overlay);
    await using file = await openFile(path);
    lockImage(file, 'read').release();
    inUse(file, 'write');
  });

  it('holds between two files of this process, and says that it is this one', async () => {
    const path = await newImage();
    await using one = await openFile(path, { writable: true });
    await using two = await openFile(path, { writable: true });
    const lock = lockImage(one, 'write');
    for (const access of ['read', 'write'] as const) {
      assert.equal(inUse(two, access).message, `${path} is in use by this process (pid ${process.pid})`);
    }
    lock.release();
    const reading = [lockImage(one, 'read'), lockImage(two, 'read')];
    await using three = await openFile(path);
    inUse(three, 'write');
    for (const read of reading) read.release();
    lockImage(two, 'write').release();
  });

  it('gives one file one lock at a time', async () => {
    const path = await newImage();
    await using file = await openFile(path);
    const lock = lockImage(file, 'read');
    assert.match(inUse(file, 'read').message, /by this process/);
    inUse(file, 'write');
    assert.match(await qemuIo(path, 'write 0 512'), QEMU_REFUSES);
    lock.release();
    lock.release();
    using next = lockImage(file, 'write');
    assert.equal(next.access, 'write');
    lock.release();
    assert.match(await qemuIo(path, 'read 0 512', '-r'), QEMU_REFUSES);
  });

  it('may be released after the file is closed, and touches nobody else then', async () => {
    const path = await newImage();
    const file = await openFile(path);
    const lock = lockImage(file, 'read');
    await file.close();
    await using next = await openFile(path);
    assert.equal(next.fd, file.fd, 'the number of the descriptor is given out again');
    lockImage(next, 'write');
    lock.release();
    assert.match(await qemuIo(path, 'read 0 512', '-r'), QEMU_REFUSES);
    assert.throws(() => lockImage(file, 'read'), { code: 'closed' });
  });
});

describe('imageLockHolders', () => {
  it('knows of nobody where nobody is, or no file', async () => {
    const path = await newImage();
    assert.deepEqual(imageLockHolders(path), []);
    assert.deepEqual(imageLockHolders(`${path}.missing`), []);
    await using file = await openFile(path);
    assert.deepEqual(imageLockHolders(path), [], `open as ${file.fd}, but not locked`);
  });

  it('names every process, with what it may do', async () => {
    const path = await newImage();
    await using file = await openFile(path);
    using _lock = lockImage(file, 'read');
    await using qemu = await hold(path, '-r');
    const byPid = (a: { pid: number }, b: { pid: number }) => a.pid - b.pid;
    const [own, other] = imageLockHolders(path).sort(byPid);
    assert.deepEqual([own?.pid, own?.access], [process.pid, 'read']);
    assert.deepEqual(other, { pid: qemu.pid, command: 'qemu-io', access: 'read' });
  });

  it('finds a file by what it is, not by its name', async () => {
    const path = await newImage();
    await using qemu = await hold(path);
    await rename(path, `${path}.moved`);
    assert.deepEqual(imageLockHolders(`${path}.moved`), [
      { pid: qemu.pid, command: 'qemu-io', access: 'write' },
    ]);
  });
});
