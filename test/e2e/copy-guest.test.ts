import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { bootGuest } from '../support/guest.ts';
import { succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const MiB = 1 << 20;

test('a guest reads what was copied in before it was started, and what it writes is copied out', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const disk = folder.join('disk.raw');
  await writeFile(disk, '');
  await truncate(disk, 20 * MiB);
  await succeed('sfdisk', ['-q', disk], { input: 'label: gpt\nstart=1M,size=16M,type=L\n' });
  await succeed('mke2fs', ['-q', '-F', '-t', 'ext4', '-E', `offset=${MiB}`, disk, '16M']);
  await calve.ok('-q', 'import', disk, 'guest:1');
  await calve.ok('new', 'guest:1', 'work');
  await writeFile(folder.join('motd'), 'from the host\n');
  await calve.ok('cp', folder.join('motd'), 'work:/motd');
  const printed = await bootGuest({
    drive: await calve.ok('path', 'work', '--drive'),
    device: '/dev/vda1',
    script: 'cat motd; tr a-z A-Z <motd >answer; sha256sum motd | cut -c1-8 >sum; rm motd',
  });
  assert.equal(printed, 'from the host\n');
  await calve.ok('cp', 'work:/answer', 'work:/sum', folder.path);
  assert.equal(await readFile(folder.join('answer'), 'utf8'), 'FROM THE HOST\n');
  const sum = await succeed('/usr/bin/sha256sum', [folder.join('motd')]);
  assert.equal(await readFile(folder.join('sum'), 'utf8'), `${sum.slice(0, 8)}\n`);
});
