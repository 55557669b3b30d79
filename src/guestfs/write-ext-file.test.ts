import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../test/support/programs.ts';
import { MemoryDisk, openRawDisk } from '../disk/index.ts';
import { hasExtFileSystem, writeExtFile } from './index.ts';

test('a file written into an ext4 file system is there for debugfs, and e2fsck is content', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calve-ext-'));
  try {
    const image = join(folder, 'disk.raw');
    await run('mke2fs', ['-q', '-t', 'ext4', image, '32M']);
    const data = randomBytes(100_000);
    {
      await using disk = await openRawDisk(image, { writable: true });
      assert.equal(await hasExtFileSystem(disk), true);
      await writeExtFile(disk, '/hello', data);
      await writeExtFile(disk, '/hello', data.subarray(0, 70_000));
    }
    await run('debugfs', ['-R', `dump /hello ${join(folder, 'out')}`, image]);
    assert.ok((await readFile(join(folder, 'out'))).equals(data.subarray(0, 70_000)));
    assert.equal((await run('e2fsck', ['-fn', image])).code, 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a disk without an ext file system is refused', async () => {
  const disk = new MemoryDisk(1 << 20);
  assert.equal(await hasExtFileSystem(disk), false);
  await assert.rejects(writeExtFile(disk, '/x', Buffer.from('x')), { code: 'invalid' });
  assert.equal(await hasExtFileSystem(new MemoryDisk(1024)), false);
});

test('a disk that fails is an error that names the file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calve-ext-'));
  try {
    const image = join(folder, 'disk.raw');
    await run('mke2fs', ['-q', '-t', 'ext4', image, '16M']);
    await using disk = await openRawDisk(image);
    await assert.rejects(writeExtFile(disk, '/x', Buffer.from('x')), {
      code: 'io',
      message: /cannot write \/x/,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
