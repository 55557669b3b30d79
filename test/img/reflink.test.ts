import assert from 'node:assert/strict';
import { mkdir, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runImg } from '../../src/cli/img/run-img.ts';
import { succeed } from '../support/programs.ts';
import { noise } from '../support/store-scene.ts';
import { temporaryFolder } from '../support/temporary.ts';

const MIB = 2 ** 20;
const SIZE = 16 * MIB;

/** Runs it on a btrfs of its own, whose files can share what they hold. */
async function onBtrfs(action: (folder: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  const [image, mounted] = [folder.join('image'), folder.join('mounted')];
  await writeFile(image, '');
  await truncate(image, 128 * MIB);
  await mkdir(mounted);
  await succeed('mkfs.btrfs', ['-q', image]);
  await succeed('mount', ['-o', 'loop', image, mounted]);
  try {
    await action(mounted);
  } finally {
    await succeed('umount', [mounted]);
  }
}

/** Runs a command; returns the bytes that the file system has less then. */
async function roomTaken(folder: string, words: readonly string[]): Promise<number> {
  const complaints: string[] = [];
  const before = await freeBytes(folder);
  const code = await runImg(words, {
    program: 'calve-img',
    print: () => {},
    complain: (text) => complaints.push(text),
    signal: new AbortController().signal,
  });
  assert.equal(code, 0, complaints.join(''));
  return before - (await freeBytes(folder));
}

async function freeBytes(folder: string): Promise<number> {
  await succeed('sync', ['-f', folder]);
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

test('a raw image that is converted to a raw image shares what it holds', () =>
  onBtrfs(async (folder) => {
    const path = (name: string) => join(folder, name);
    await writeFile(path('a.raw'), noise('a', SIZE));
    const raw = ['-f', 'raw', '-O', 'raw'];
    const taken = {
      plain: await roomTaken(folder, ['convert', ...raw, path('a.raw'), path('plain.raw')]),
      offloaded: await roomTaken(folder, ['convert', '-C', ...raw, path('a.raw'), path('offloaded.raw')]),
      sparse: await roomTaken(folder, ['convert', '-S', '4k', ...raw, path('a.raw'), path('sparse.raw')]),
    };
    for (const name of Object.keys(taken)) {
      await succeed('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', path('a.raw'), path(`${name}.raw`)]);
    }
    assert.ok(taken.plain < MIB && taken.offloaded < MIB, JSON.stringify(taken));
    assert.ok(taken.sparse > SIZE / 2, 'that is copied, so that zeros are looked for');
  }));

test('a range of a raw image is offloaded into the beginning of a larger one', () =>
  onBtrfs(async (folder) => {
    const [from, to] = [join(folder, 'a.raw'), join(folder, 'b.raw')];
    await writeFile(from, noise('a', SIZE));
    await truncate(from, SIZE + 4 * MIB);
    await writeFile(to, Buffer.alloc(SIZE + 4 * MIB, 9));
    await truncate(to, SIZE + 8 * MIB);
    const taken = await roomTaken(folder, ['convert', '-n', '-C', '-f', 'raw', '-O', 'raw', from, to]);
    assert.ok(taken < -SIZE / 2, `${taken}: what was overwritten is given back, and shared`);
    await succeed('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', from, to]);
  }));
