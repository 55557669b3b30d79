import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, describe, it } from 'node:test';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { errnoOf } from '../errors/index.ts';
import { tryLock } from './file-lock.ts';
import { libc } from './libc.ts';
import { openFile } from './open-file.ts';
import { writeFileDurably } from './write-file-durably.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const { cache } = createRequire(import.meta.url);
const koffiIsLoaded = () => Object.keys(cache).some((path) => path.includes('/node_modules/koffi/'));

describe('libc', () => {
  it('is loaded by the first use that takes it, and not before', async () => {
    await writeFileDurably(folder.join('file'), 'x');
    await using file = await openFile(folder.join('file'), { writable: true });
    await file.write(Buffer.from('abc'), 0);
    file.readSync(Buffer.alloc(3), 0);
    file.stat();
    assert.equal(koffiIsLoaded(), false);
    tryLock(file);
    assert.equal(koffiIsLoaded(), true);
  });

  it('throws what the operating system says, of calls in the thread pool too', async () => {
    const isBadDescriptor = (error: unknown) => errnoOf(error) === 'EBADF';
    const flock = { l_type: 0, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    assert.throws(() => libc().seek(-1, 0, 0), isBadDescriptor);
    assert.throws(() => libc().duplicate(-1), isBadDescriptor);
    assert.throws(() => libc().clone(-1, -1), isBadDescriptor);
    assert.throws(() => libc().fallocate(-1, 0, 0, 1), isBadDescriptor);
    await assert.rejects(libc().copyRange(-1, 0, -1, 0, 1), isBadDescriptor);
    await assert.rejects(libc().lockWaiting(-1, flock), isBadDescriptor);
  });
});
