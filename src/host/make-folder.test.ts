import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder, statFile } from './index.ts';

test('a folder is made with those above it, by whoever comes first', async () => {
  const top = await mkdtemp(join(tmpdir(), 'calve-folder-'));
  try {
    const deep = join(top, 'a', 'b', 'c');
    await Promise.all([makeFolder(deep), makeFolder(deep)]);
    await makeFolder(deep);
    assert.equal(statFile(deep)?.kind, 'folder');
    await writeFile(join(top, 'file'), '');
    await assert.rejects(makeFolder(join(top, 'file')), { code: 'exists' });
    await assert.rejects(makeFolder(join(top, 'file', 'below')), { code: 'io', message: /ENOTDIR/ });
  } finally {
    await rm(top, { recursive: true });
  }
});

test('where no folder can be made it fails, and does not try for ever', async () => {
  await assert.rejects(makeFolder('/proc/nowhere/below'), { code: 'not-found' });
});
