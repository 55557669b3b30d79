import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { report } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** What must be seen to have worked, in this order. */
const STEPS = [
  /^\$ calve import \S+ app:1\.0 -m 'known good'$/m,
  /^\$ calve new app:1\.0 work$/m,
  /^\$ calve new app:1\.0 scratch$/m,
  /^\$ calve commit work -m 'a note inside' -t app:1\.1$/m,
  /^\$ calve log app:1\.1$/m,
  /^\$ calve diff app:1\.0 app:1\.1\nA +\d+ B \/calve-was-here\.txt$/m,
  /^\$ calve df$/m,
  /^No errors were found on the image\.$/m,
  /^\$ calve new app:1\.0 another\n# exit code 1$/m,
  /^\$ calve fsck$/m,
  /^\$ calve rm scratch$/m,
  /^scratch@/m,
  /^# Done in [\d.]+ s/m,
];

test('the demo plays the main job from end to end, and leaves nothing behind', async (t) => {
  await using folder = await temporaryFolder();
  const tmp = folder.join('');
  const begun = performance.now();
  const ran = await commandLine(folder.join('unused')).run(['demo'], { env: { TMPDIR: tmp } });
  const seconds = (performance.now() - begun) / 1000;
  assert.equal(ran.code, 0, report(ran));
  let rest = ran.stdout;
  for (const step of STEPS) {
    const found = step.exec(rest) ?? assert.fail(`${step} is not to be seen in:\n${rest}`);
    rest = rest.slice(found.index + found[0].length);
  }
  assert.match(ran.stderr, /has changed: its bytes hash to .*on it stand versions .*app:1\.0.*scratch, work/);
  // The target is 20 s on a quiet machine; this one may be shared, and the bound is for the gross.
  assert.ok(seconds < 120, `${seconds} s`);
  t.diagnostic(`${seconds.toFixed(1)} s`);
  assert.deepEqual(await readdir(tmp), [], 'the temporary store is gone, and no other was made');
});

test('the demo takes a disk of the person, which need not hold a file system', async () => {
  await using folder = await temporaryFolder();
  const disk = folder.join('own.raw');
  await writeFile(disk, randomBytes(3 << 20));
  const ran = await commandLine(folder.join('unused')).run(['demo', disk]);
  assert.equal(ran.code, 0, report(ran));
  assert.match(ran.stdout, /bytes at \d+, for no ext4 file system begins/);
});
