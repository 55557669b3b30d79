import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { openScratchFile } from './index.ts';

test('a scratch file holds what is written, has no name, and is its owner’s alone', async () => {
  await using folder = await temporaryFolder();
  await using file = await openScratchFile(1, folder.path);
  assert.ok(file);
  assert.deepEqual(await readdir(folder.path), []);
  file.writeSync(Buffer.from('scratch'), 100_000);
  const into = Buffer.alloc(7);
  assert.equal(file.readSync(into, 100_000), 7);
  assert.equal(into.toString(), 'scratch');
  assert.equal(file.stat().mode & 0o777, 0o600);
});

test('there is none where too little is free, and an error where there is no folder', async () => {
  await using folder = await temporaryFolder();
  assert.equal(await openScratchFile(Number.MAX_SAFE_INTEGER, folder.path), undefined);
  assert.deepEqual(await readdir(folder.path), []);
  await assert.rejects(openScratchFile(1, folder.join('nowhere')), { code: 'not-found' });
});
