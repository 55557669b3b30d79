import assert from 'node:assert/strict';
import { rename, unlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError, errnoOf } from '../errors/index.ts';
import { isImmutable, makeMutable, openFile, setImmutable } from './index.ts';

test('an immutable file is neither written, renamed nor removed until the flag is cleared, as lsattr says', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('file');
  await writeFile(path, 'content');
  await using file = await openFile(path);
  assert.equal(isImmutable(file), false);
  const others = await attributes(path);
  setImmutable(file, true);
  try {
    assert.equal(isImmutable(file), true);
    assert.match(await attributes(path), /^-+i/);
    const refused = (error: unknown) => errnoOf(error) === 'EPERM';
    await assert.rejects(writeFile(path, 'other'), refused);
    await assert.rejects(rename(path, folder.join('other')), refused);
    await assert.rejects(unlink(path), refused);
  } finally {
    assert.equal(await makeMutable(path), true);
  }
  assert.equal(await attributes(path), others, 'the other flags are as they were');
  assert.equal(await makeMutable(path), false);
  await writeFile(path, 'other');
});

test('a file system without the flag is told by name', async () => {
  await using file = await openFile('/proc/self/status');
  assert.equal(isImmutable(file), false);
  assert.throws(
    () => setImmutable(file, true),
    (error) => CalveError.is(error, 'unsupported') && /status has no immutable flag/.test(error.message),
  );
});

test('who may not set the flag is told so', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('file');
  await writeFile(path, 'content');
  const url = new URL('./index.ts', import.meta.url).href;
  const script = `
    const { openFile, setImmutable } = await import('${url}');
    const file = await openFile('${path}');
    try { setImmutable(file, true); } catch (error) { console.log(error.code, error.message); }
  `;
  const node = [process.execPath, '--input-type=module', '-e', script];
  // Root in every other way.
  const said = await succeed('setpriv', [
    '--bounding-set',
    '-linux_immutable',
    '--inh-caps',
    '-linux_immutable',
    ...node,
  ]);
  assert.match(said, /^denied cannot make immutable .*file: only root may/);
});

async function attributes(path: string): Promise<string> {
  return (await succeed('lsattr', [path])).split(' ')[0] ?? '';
}
