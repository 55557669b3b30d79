import assert from 'node:assert/strict';
import { openSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError, errnoOf } from '../errors/index.ts';
import { statFile } from './file-stat.ts';
import { HostFile } from './host-file.ts';
import { openFile } from './open-file.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

/** A path where nothing is yet. */
const fresh = () => {
  made += 1;
  return folder.join(`file-${made}`);
};

describe('openFile', () => {
  it('reads alone unless told otherwise', async () => {
    const path = fresh();
    await writeFile(path, 'abc');
    await using file = await openFile(path);
    assert.equal(file.writable, false);
    await assert.rejects(file.write(Buffer.of(1), 0), (error) => {
      assert.equal(errnoOf(error), 'EBADF');
      assert.ok(error instanceof CalveError && error.message.startsWith(`cannot write ${path} at 0: `));
      return true;
    });
  });

  it('reads at once what the page cache has, and nothing else', async () => {
    const path = fresh();
    const bytes = Buffer.alloc(64 * 1024, 'in the page cache');
    await writeFile(path, bytes);
    await using file = await openFile(path);
    const read = Buffer.alloc(bytes.length);
    assert.equal(file.readCached(read, 0), true);
    assert.deepEqual(read, bytes);
    assert.equal(file.readCached(read, 1), false, 'it ends before');
    await succeed('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
    assert.equal(file.readCached(read, 0), false, 'the device has it');
    assert.equal(await file.read(read, 0), bytes.length);
    assert.equal(file.readCached(read, 0), true);
  });

  it('makes a file only where there is none, with the mode it is told', async () => {
    const path = fresh();
    await using file = await openFile(path, { create: true, mode: 0o640 });
    assert.equal(file.writable, true);
    assert.equal(file.stat().mode, 0o640);
    await assert.rejects(openFile(path, { create: true }), { code: 'exists' });
  });

  it('says which file is not there', async () => {
    const path = fresh();
    await assert.rejects(openFile(path, { writable: true }), (error) => {
      assert.ok(CalveError.is(error, 'not-found'));
      assert.match(error.message, new RegExp(`^cannot open ${path}: ENOENT`));
      return true;
    });
  });

  it('refuses a folder and a pipe, without waiting for the other end, and leaves nothing open', async () => {
    const pipe = fresh();
    await succeed('/usr/bin/mkfifo', [pipe]);
    for (const path of [folder.path, pipe]) await assert.rejects(openFile(path), { code: 'unsupported' });
    const open = readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return [folder.path, pipe].includes(readlinkSync(`/proc/self/fd/${fd}`));
      } catch {
        return false; // the descriptor that readdir itself had
      }
    });
    assert.deepEqual(open, []);
  });
});

describe('HostFile', () => {
  it('reads back what was written, waiting or at once, at offsets far past 32 bits', async () => {
    await using file = await openFile(fresh(), { create: true });
    for (const [index, offset] of [
      0,
      1,
      4095,
      2 ** 31 - 2,
      2 ** 32 - 1,
      5 * 2 ** 30 + 3,
      2 ** 43,
    ].entries()) {
      const bytes = Buffer.alloc(5000, index + 1);
      if (index % 2) await file.write(bytes, offset);
      else file.writeSync(bytes, offset);
      const found = [Buffer.alloc(5000), Buffer.alloc(5000)] as const;
      assert.equal(await file.read(found[0], offset), 5000);
      assert.equal(file.readSync(found[1], offset), 5000);
      assert.deepEqual(found, [bytes, bytes]);
    }
    assert.equal(file.stat().size, 2 ** 43 + 5000);
  });

  it('reads fewer bytes at the end of the file alone', async () => {
    await using file = await openFile(fresh(), { create: true });
    await file.write(Buffer.from('0123456789'), 0);
    const into = Buffer.alloc(6, '.');
    assert.equal(await file.read(into, 7), 3);
    assert.equal(into.toString(), '789...');
    assert.equal(file.readSync(into, 10), 0);
    assert.equal(await file.read(into, 2 ** 40), 0);
  });

  it('tells size, storage, times and identity', async () => {
    const path = fresh();
    await using file = await openFile(path, { create: true });
    await file.truncate(10_000_000);
    await file.write(Buffer.alloc(8192, 1), 0);
    await file.sync();
    const stat = file.stat();
    assert.equal(stat.size, 10_000_000);
    assert.ok(stat.allocated >= 8192 && stat.allocated < 1_000_000, `${stat.allocated} bytes allocated`);
    assert.equal(stat.kind, 'file');
    const age = BigInt(Date.now()) * 1_000_000n - stat.mtimeNs;
    assert.ok(age < 3_600_000_000_000n && age > -3_600_000_000_000n);
    assert.deepEqual(statFile(path), stat);
    const link = fresh();
    await symlink(path, link);
    assert.deepEqual(statFile(link), stat);
  });

  it('shrinks, and grows with zeros', async () => {
    await using file = await openFile(fresh(), { create: true });
    await file.write(Buffer.alloc(100, 9), 0);
    await file.truncate(50);
    await file.truncate(100);
    const into = Buffer.alloc(100);
    assert.equal(await file.read(into, 0), 100);
    assert.deepEqual(into, Buffer.concat([Buffer.alloc(50, 9), Buffer.alloc(50)]));
    await file.datasync();
  });

  it('closes once what was under way has ended', async () => {
    const [source, target] = [
      await openFile(fresh(), { create: true }),
      await openFile(fresh(), { create: true }),
    ];
    await source.write(Buffer.alloc(40 << 20, 5), 0);
    const closed: Promise<void>[] = [];
    // After the first of several pieces. Were the descriptors closed at once, their numbers would be the next files'.
    const onProgress = () => closed.push(source.close(), target.close());
    await source.copyTo(target, 0, 0, 40 << 20, { onProgress });
    await Promise.all(closed);
    assert.ok((await readFile(target.path)).equals(Buffer.alloc(40 << 20, 5)));
    assert.deepEqual([source.closed, target.closed], [true, true]);
  });

  it('closes any number of times, and refuses every use afterwards', async () => {
    const file = await openFile(fresh(), { create: true });
    await using other = await openFile(fresh(), { create: true });
    await Promise.all([file.close(), file.close()]);
    await file.close();
    const bytes = Buffer.alloc(1);
    const uses: (() => unknown)[] = [
      () => file.stat(),
      () => file.read(bytes, 0),
      () => file.readSync(bytes, 0),
      () => file.write(bytes, 0),
      () => file.writeSync(bytes, 0),
      () => file.sync(),
      () => file.datasync(),
      () => file.truncate(0),
      () => file.extents(0, 1),
      () => file.punchHole(0, 1),
      () => file.allocate(0, 1),
      () => file.copyTo(other, 0, 0, 1),
      () => other.copyTo(file, 0, 0, 1),
      () => file.cloneTo(other),
      () => other.cloneTo(file),
    ];
    for (const use of uses) await assert.rejects(async () => use(), { code: 'closed' }, `${use}`);
  });

  it('says when there is no space for a write', async () => {
    await using file = new HostFile('/dev/full', openSync('/dev/full', 'r+'), true);
    const expected = { code: 'no-space', message: /^cannot write \/dev\/full at 0: ENOSPC/ };
    await assert.rejects(file.write(Buffer.of(1), 0), expected);
    assert.throws(() => file.writeSync(Buffer.of(1), 0), expected);
  });
});

describe('statFile', () => {
  it('knows a folder, and knows nothing where nothing is', async () => {
    const path = fresh();
    assert.equal(statFile(path), undefined);
    assert.equal(statFile(`${path}/below`), undefined);
    await mkdir(path);
    assert.equal(statFile(path)?.kind, 'folder');
  });
});
