import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { report } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallStore } from './small-store.ts';
import { onTerminal } from './terminal.ts';

const ESCAPE = '\x1b[';

test('on a terminal rm asks before it removes what is not saved, and what is no clear choice keeps it', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const kept = await onTerminal(calve, ['rm', 'one'], { answers: ['\n'] });
  assert.match(
    kept.stdout,
    /one holds 64 KiB that is not committed: commit .* move it to the trash \(t\), or keep it\? \[c\/o\/t\/N\] /,
    report(kept),
  );
  assert.match(kept.stdout, /kept one/, report(kept));
  assert.equal(await calve.ok('ls', '-q'), 'one\ntwo');

  const unasked = await onTerminal(calve, ['rm', 'two']);
  assert.doesNotMatch(unasked.stdout, /N\] /, report(unasked));
  const removed = await onTerminal(calve, ['rm', 'one'], { answers: ['t\n'] });
  assert.match(removed.stdout, /removed one/, report(removed));
  assert.equal(await calve.ok('ls', '-q'), '');
});

test('Ctrl-C at a question ends the command with 130, Ctrl-D is no', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const ended = await onTerminal(calve, ['rm', 'one'], { answers: ['\x03'] });
  assert.equal(ended.code, 130, report(ended));
  assert.match(ended.stdout, /calve:\S* interrupted\r\n$/, report(ended));
  const kept = await onTerminal(calve, ['rm', 'one'], { answers: ['\x04'] });
  assert.match(kept.stdout, /N\] \r\nkept one\r\n$/, report(kept));
  assert.equal(await calve.ok('ls', '-q'), 'one\ntwo');
});

test('-y answers yes: rm --force and trash empty do not ask', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const asked = await onTerminal(calve, ['rm', '-f', 'one'], { answers: ['no\n'] });
  assert.match(asked.stdout, /Delete it for good\? \[y\/N\] /, report(asked));
  const forced = await onTerminal(calve, ['rm', '-y', '-f', 'one']);
  assert.doesNotMatch(forced.stdout, /\[y\/N\]/, report(forced));
  await calve.ok('rm', 'two');

  const refused = await onTerminal(calve, ['trash', 'empty'], { answers: ['n\n'] });
  assert.match(
    refused.stdout,
    /Delete 1 environment \(.*\) for good\? \[y\/N\] [\s\S]*nothing deleted/,
    report(refused),
  );
  assert.equal((await calve.ok('trash', 'ls', '-q')).split('\n').length, 1);
  assert.match((await onTerminal(calve, ['-y', 'trash', 'empty'])).stdout, /^deleted two@/);
});

test('colours are shown on a terminal only, and not with NO_COLOR or --no-color', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  assert.ok((await onTerminal(calve, ['log'])).stdout.includes(ESCAPE));
  assert.ok(!(await onTerminal(calve, ['log'], { env: { NO_COLOR: '1' } })).stdout.includes(ESCAPE));
  assert.ok(!(await onTerminal(calve, ['log', '--no-color'])).stdout.includes(ESCAPE));
  assert.ok(!(await onTerminal(calve, ['--no-color', 'ls'])).stdout.includes(ESCAPE));
  assert.ok(!(await onTerminal(calve, ['log'], { env: { TERM: 'dumb' } })).stdout.includes(ESCAPE));
  assert.ok(!(await calve.ok('log')).includes(ESCAPE));
});

test('a long import shows a bar on a terminal, and nothing with -q', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const disk = folder.join('noise.raw');
  await writeFile(disk, randomBytes(32 << 20));
  const shown = await onTerminal(calve, ['import', disk, 'noise:1']);
  assert.match(
    shown.stdout,
    /\rE?.*reading noise\.raw \[#*\.*\] +\d+% {2}[\d.]+ [KM]iB of 32 MiB/,
    report(shown),
  );
  const quiet = await onTerminal(calve, ['import', '-q', disk, 'noise:2']);
  assert.match(quiet.stdout, /^[0-9a-f]{12}\r\n$/, report(quiet));
});
