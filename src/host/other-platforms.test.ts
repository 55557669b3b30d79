import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import { lock, lockImage, openFile, tryLock, writeFileDurably } from './index.ts';

/** What a system other than Linux gets. The C library is loaded once a process, and this file has its own. */
describe('where the platform is not Linux', () => {
  const { platform } = process;
  before(() => Object.defineProperty(process, 'platform', { value: 'plan9' }));
  after(() => Object.defineProperty(process, 'platform', { value: platform }));

  it('files are read, written, copied and put in place, and have no holes', async () => {
    await using folder = await temporaryFolder();
    await using file = await openFile(folder.join('a'), { create: true });
    await using copy = await openFile(folder.join('b'), { create: true });
    await file.write(Buffer.from('content'), 1 << 20);
    assert.deepEqual(Array.from(file.extents(0, 2 << 20)), [{ offset: 0, length: 2 << 20, kind: 'data' }]);
    assert.equal(file.punchHole(0, 4096), false);
    assert.equal(file.allocate(0, 4096), false);
    assert.equal(file.cloneTo(copy), false);
    await file.copyTo(copy, 1 << 20, 0, 7);
    assert.equal(await readFile(copy.path, 'utf8'), 'content');
    await writeFileDurably(copy.path, 'new');
    assert.equal(await readFile(copy.path, 'utf8'), 'new');
  });

  it('nothing is locked, and the error says what it takes', async () => {
    await using folder = await temporaryFolder();
    await using file = await openFile(folder.join('a'), { create: true });
    const unsupported = (error: unknown) => {
      assert.ok(CalveError.is(error, 'unsupported'));
      assert.match(error.message, /^expected Linux on one of x64, arm64, riscv64, loong64, got plan9 /);
      return true;
    };
    assert.throws(() => lockImage(file, 'read'), unsupported);
    assert.throws(() => tryLock(file), unsupported);
    await assert.rejects(lock(file), unsupported);
  });
});
