import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { report, run } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallStore } from './small-store.ts';

test('bash completes commands, options, refs and environments, colons and all', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const script = await calve.ok('completion', 'bash');
  const parsed = await run('/bin/bash', ['-n'], { input: script });
  assert.equal(parsed.code, 0, report(parsed));

  // The script asks the program that is typed on the line, so the line must be able to find one called calve.
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  await writeFile(folder.join('calve'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, {
    mode: 0o755,
  });
  const complete = async (line: string): Promise<string[]> => {
    const asked = await run('/bin/bash', ['-s', line], {
      input: `${script}\nCOMP_LINE=$1 COMP_POINT=\${#1}\n_calve\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`,
      env: { PATH: `${folder.path}:${process.env['PATH']}`, CALVE_STORE: calve.store },
    });
    assert.equal(asked.code, 0, report(asked));
    return asked.stdout.split('\n').filter((word) => word !== '');
  };
  assert.deepEqual(await complete('calve com'), ['commit', 'completion']);
  assert.deepEqual(await complete('calve trash re'), ['restore']);
  assert.deepEqual(await complete('calve commit --me'), ['--message']);
  assert.deepEqual(await complete('calve rm '), ['one', 'two']);
  assert.deepEqual(await complete('calve new '), ['disk:1']);
  // Readline keeps what stands before the colon.
  assert.deepEqual(await complete('calve new disk:'), ['1']);
  assert.deepEqual(await complete('calve path t'), ['two']);
  assert.deepEqual(await complete('calve export one -O '), ['raw', 'qcow2']);
  assert.deepEqual(await complete(`calve import ${folder.join('disk')}`), [folder.join('disk.raw')]);
});

test('completion asks the store that the line names, and a missing store has no candidates', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const other = commandLine(folder.join('none'));
  assert.equal(await other.ok('__complete', '--', 'rm', ''), '');
  assert.match(await other.ok('__complete', '--', '--store', calve.store, 'rm', ''), /^one\t.*\ntwo\t/);
});
