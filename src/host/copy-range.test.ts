import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import { copyRange } from './copy-range.ts';
import type { HostFile } from './host-file.ts';
import { type Libc, libc } from './libc.ts';
import { openFile } from './open-file.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

async function newFile(content: Uint8Array = Buffer.alloc(0)): Promise<HostFile> {
  made += 1;
  const file = await openFile(folder.join(`${made}`), { create: true });
  await file.write(content, 0);
  return file;
}

const content = randomBytes(3_000_001);

describe('HostFile.copyTo', () => {
  it('copies a range to another place of another file, and tells how far it is', async () => {
    await using source = await newFile(content);
    await using target = await newFile(Buffer.alloc(100, 1));
    const progress: number[][] = [];
    await source.copyTo(target, 1001, 50, 2_000_003, { onProgress: (...args) => progress.push(args) });
    const found = await readFile(target.path);
    assert.ok(found.equals(Buffer.concat([Buffer.alloc(50, 1), content.subarray(1001, 2_001_004)])));
    assert.deepEqual(progress.at(-1), [2_000_003, 2_000_003]);
  });

  it('copies within one file', async () => {
    await using file = await newFile(content);
    await file.copyTo(file, 0, 2_000_000, 1_000_000);
    const found = await readFile(file.path);
    assert.ok(found.subarray(2_000_000, 3_000_000).equals(content.subarray(0, 1_000_000)));
  });

  it('says that the source ends before the range does', async () => {
    await using source = await newFile(content);
    await using target = await newFile();
    await assert.rejects(source.copyTo(target, 3_000_000, 0, 2), {
      code: 'out-of-range',
      message: `expected 2 bytes at 3000000 in ${source.path}, which ends at 3000001`,
    });
  });

  it('ends at an abort', async () => {
    await using source = await newFile(content);
    await using target = await newFile();
    const reason = new Error('enough');
    await assert.rejects(source.copyTo(target, 0, 0, 1, { signal: AbortSignal.abort(reason) }), (error) => {
      assert.ok(CalveError.is(error, 'aborted'));
      assert.equal(error.cause, reason);
      return true;
    });
    assert.equal(target.stat().size, 0);
    // Copied a piece at a time, it ends after the piece.
    await source.truncate(40 << 20);
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = () => controller.abort();
    await assert.rejects(source.copyTo(target, 0, 0, 40 << 20, { signal, onProgress }), { code: 'aborted' });
    assert.ok(target.stat().size < 40 << 20);
  });
});

describe('copyRange', () => {
  it('reads and writes where there is no C library', async () => {
    await using source = await newFile(content);
    await using target = await newFile();
    await copyRange(source, 5, target, 7, 2_500_000, {}, null);
    const found = await readFile(target.path);
    assert.ok(found.subarray(7).equals(content.subarray(5, 2_500_005)));
    await assert.rejects(copyRange(source, 3_000_000, target, 0, 2, {}, null), { code: 'out-of-range' });
  });

  it('goes on by reading and writing where the kernel gives up, and again where it was interrupted', async () => {
    await using source = await newFile(content);
    await using target = await newFile();
    const answers = ['EINTR', 1_000_000, 'EINTR', 'EXDEV'];
    const library: Libc = {
      ...libc(),
      async copyRange(sourceFd, from, targetFd, to) {
        const answer = answers.shift() ?? assert.fail('asked the kernel again');
        if (typeof answer === 'number') return libc().copyRange(sourceFd, from, targetFd, to, answer);
        throw Object.assign(new Error(answer), { code: answer });
      },
    };
    await copyRange(source, 0, target, 0, content.length, {}, library);
    assert.ok((await readFile(target.path)).equals(content));
    assert.deepEqual(answers, []);
  });
});

describe('HostFile.cloneTo', () => {
  it('shares the whole content, or says that it cannot and does nothing', async () => {
    await using source = await newFile(content);
    await using target = await newFile(Buffer.from('before'));
    const expected = source.cloneTo(target) ? content : Buffer.from('before');
    assert.ok((await readFile(target.path)).equals(expected));
  });
});
