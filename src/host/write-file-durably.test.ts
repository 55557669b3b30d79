import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { renameDurably } from './rename-durably.ts';
import { syncFolder } from './sync-folder.ts';
import { writeFileDurably } from './write-file-durably.ts';

async function newFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o7777;

describe('writeFileDurably', () => {
  it('puts text or bytes in place, and leaves nothing else there', async (t) => {
    const folder = await newFolder(t);
    await writeFileDurably(join(folder, 'a'), 'naïve');
    await writeFileDurably(join(folder, 'b'), Buffer.of(0, 255));
    await writeFileDurably(join(folder, 'b'), Buffer.of(1));
    assert.equal(await readFile(join(folder, 'a'), 'utf8'), 'naïve');
    assert.deepEqual(await readFile(join(folder, 'b')), Buffer.of(1));
    assert.deepEqual((await readdir(folder)).sort(), ['a', 'b']);
  });

  it('keeps the mode of what it replaces, or sets the one it is told, whatever the umask', async (t) => {
    const path = join(await newFolder(t), 'file');
    await writeFileDurably(path, 'new');
    assert.equal(await modeOf(path), 0o666 & ~process.umask());
    await chmod(path, 0o604);
    await writeFileDurably(path, 'newer');
    assert.equal(await modeOf(path), 0o604);
    await writeFileDurably(path, 'newest', { mode: 0o466 });
    assert.equal(await modeOf(path), 0o466);
    await writeFileDurably(path, 'and again');
    assert.equal(await readFile(path, 'utf8'), 'and again');
    assert.equal(await modeOf(path), 0o466);
  });

  it('replaces the file as a whole: who has the old one open keeps reading that', async (t) => {
    const path = join(await newFolder(t), 'file');
    await writeFile(path, 'old');
    const before = await stat(path);
    await writeFileDurably(path, 'new');
    assert.notEqual((await stat(path)).ino, before.ino);
  });

  it('stages the file where it is told', async (t) => {
    const folder = await newFolder(t);
    const staging = join(folder, 'tmp');
    await assert.rejects(writeFileDurably(join(folder, 'file'), 'x', { stagingFolder: staging }), {
      code: 'not-found',
    });
    await mkdir(staging);
    await writeFileDurably(join(folder, 'file'), 'x', { stagingFolder: staging });
    assert.deepEqual(await readdir(folder, { recursive: true }), ['file', 'tmp']);
  });

  it('leaves no temporary file behind when it fails, and the target as it was', async (t) => {
    const folder = await newFolder(t);
    const staging = join(folder, 'tmp');
    await mkdir(staging);
    await mkdir(join(folder, 'taken', 'by a folder'), { recursive: true });
    await assert.rejects(writeFileDurably(join(folder, 'taken'), 'x', { stagingFolder: staging }));
    await assert.rejects(writeFileDurably(join(folder, 'taken'), 'x'));
    assert.deepEqual((await readdir(folder, { recursive: true })).sort(), [
      'taken',
      'taken/by a folder',
      'tmp',
    ]);
    await assert.rejects(writeFileDurably(join(folder, 'missing', 'file'), 'x'), { code: 'not-found' });
  });
});

describe('renameDurably', () => {
  it('moves files and folders, within a folder and across', async (t) => {
    const folder = await newFolder(t);
    await mkdir(join(folder, 'a'));
    await mkdir(join(folder, 'b'));
    await writeFile(join(folder, 'a', '1'), 'one');
    await renameDurably(join(folder, 'a', '1'), join(folder, 'a', '2'));
    await renameDurably(join(folder, 'a', '2'), join(folder, 'b', '3'));
    await renameDurably(join(folder, 'b'), join(folder, 'a', 'b'));
    assert.deepEqual((await readdir(folder, { recursive: true })).sort(), ['a', 'a/b', 'a/b/3']);
  });

  it('refuses a folder that is not empty, and says what is not there', async (t) => {
    const folder = await newFolder(t);
    await mkdir(join(folder, 'a'));
    await mkdir(join(folder, 'b', 'c'), { recursive: true });
    await assert.rejects(renameDurably(join(folder, 'a'), join(folder, 'b')), { code: 'exists' });
    await assert.rejects(renameDurably(join(folder, 'x'), join(folder, 'y')), {
      code: 'not-found',
      message: /^cannot rename .*x to .*y: ENOENT/,
    });
  });
});

describe('syncFolder', () => {
  it('syncs a folder, and names one that is not there', async (t) => {
    const folder = await newFolder(t);
    await syncFolder(folder);
    await assert.rejects(syncFolder(join(folder, 'x')), { code: 'not-found', message: /^cannot sync .*x: / });
  });
});
