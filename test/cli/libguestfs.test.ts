import assert from 'node:assert/strict';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { useOwnKernel } from '../support/libguestfs-kernel.ts';
import { succeed } from '../support/programs.ts';
import { LONG } from '../support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';

const MiB = 1 << 20;

/** An XFS, which is mounted and filled; a second call changes it. */
async function changeXfs(folder: TemporaryFolder, files: Readonly<Record<string, string>>): Promise<string> {
  const [image, mounted] = [folder.join('xfs'), folder.join('mounted')];
  await mkdir(mounted, { recursive: true });
  await succeed('mount', ['-o', 'loop', image, mounted]);
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(`${mounted}/${name}`, content);
  } finally {
    await succeed('umount', [mounted]);
  }
  return image;
}

async function makeXfs(folder: TemporaryFolder): Promise<void> {
  await writeFile(folder.join('xfs'), '');
  await truncate(folder.join('xfs'), 300 * MiB);
  await succeed('mkfs.xfs', ['-q', folder.join('xfs')]);
}

test('without libguestfs the error names the file system and the package, and changes are told as blocks', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  // Nothing in it: not even a guestfish.
  const env = { PATH: folder.join('nothing') };
  await makeXfs(folder);
  await calve.ok('import', await changeXfs(folder, { note: 'one' }), 'x:1');
  await calve.ok('import', await changeXfs(folder, { note: 'two' }), 'x:2');
  await calve.ok('new', 'x:2', 'box');
  for (const words of [
    ['files', 'x:1'],
    ['log', 'x:2', '--', '/note'],
    ['rm', 'box', '--keep', `/note:${folder.join('note')}`],
  ]) {
    const { code, stdout, stderr } = await calve.run(words, { env });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^calve: .*calve reads xfs through libguestfs, and its program guestfish is not installed$/m,
    );
    assert.match(stderr, /^hint: apt-get install libguestfs-tools/m);
  }
  const { code, stdout } = await calve.run(['diff', '--exit-code', 'x:1', 'x:2'], { env });
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^M +\d.* the whole disk \(xfs\) \(blocks; calve reads xfs through libguestfs, and .* not installed\)\n/,
  );
  const copied = await calve.refuses('cp', folder.join('xfs'), 'box:/');
  assert.match(copied, /the whole disk \(xfs\): nothing is written into such a file system/);
});

/** Five minutes of an emulated machine that starts, and starts again. */
async function longTest(): Promise<void> {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  await useOwnKernel();
  const run = async (...words: string[]): Promise<string> => {
    const ran = await calve.run(words, { timeout: 300_000 });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout;
  };
  await makeXfs(folder);
  await run('import', await changeXfs(folder, { note: 'one\n', same: 'same' }), 'x:1');
  // So little of a disk that is all but empty stays that no sample finds the version before.
  await run('import', '--onto', 'x:1', await changeXfs(folder, { note: 'two\n', more: 'more' }), 'x:2');
  assert.equal(await run('files', '-R', 'x:2:/'), 'more\nnote\nsame\n');
  assert.equal(await run('cat', 'x:1:/note'), 'one\n');
  assert.equal(await run('diff', '--name-status', 'x:1', 'x:2'), 'M\t/\nA\t/more\nM\t/note\n');
  assert.match(await run('diff', '--content', '/note', 'x:1', 'x:2'), /^-one\n\+two$/m);
  assert.equal((await run('log', '-q', 'x:2', '--', '/note')).trim().split('\n').length, 2);
  assert.equal((await run('log', '-q', 'x:2', '--', '/same')).trim().split('\n').length, 1);
  await run('new', 'x:2', 'box');
  await run('rm', 'box', '--keep', `/note:${folder.join('note')}`);
  assert.equal(await readFile(folder.join('note'), 'utf8'), 'two\n');
}

if (LONG) test('commands read an XFS through libguestfs', longTest);
