import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { bootGuest } from '../support/guest.ts';
import { succeed } from '../support/programs.ts';
import { qemuImgCheck } from '../support/qemu.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a guest that boots twice from one environment sees what it wrote; another environment does not', async (t) => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const disk = folder.join('ext4.raw');
  await succeed('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '64M']);
  await calve.ok('import', disk, 'ext4');
  await calve.ok('new', 'ext4', 'one');
  await calve.ok('new', 'ext4', 'two');
  const one = await calve.ok('path', 'one');
  const two = await calve.ok('path', 'two');

  const began = performance.now();
  assert.equal(
    await bootGuest({ drive: one, script: 'echo written first > first; cat first' }),
    'written first\n',
  );
  t.diagnostic(`boot to power-off: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  assert.equal(await bootGuest({ drive: one, script: 'cat first; echo then > second' }), 'written first\n');
  assert.equal(await bootGuest({ drive: two, script: 'ls' }), 'lost+found\n');

  await calve.ok('commit', 'one', '-m', 'two boots');
  await calve.ok('new', 'ext4', 'three');
  const three = await calve.ok('path', 'three');
  assert.equal(await bootGuest({ drive: three, script: 'cat first second' }), 'written first\nthen\n');
  for (const path of [one, two, three]) await qemuImgCheck(path);
  await calve.ok('fsck');
});
