import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'valibot';
import { verbTable } from '../../src/cli/verb-table.ts';
import { succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { shapes } from './shapes.ts';
import { smallStore } from './small-store.ts';

/** The examples of docs/json.md, by the command that their section is about. */
async function documented(): Promise<{ command: string; example: unknown }[]> {
  const text = await readFile(new URL('../../docs/json.md', import.meta.url), 'utf8');
  return text.split(/^## /m).flatMap((section) => {
    const [, command] = /^`calve (.*?) --json`/.exec(section) ?? [];
    if (command === undefined) return [];
    const blocks = [...section.matchAll(/^```json\n(.*?)^```$/gms)];
    assert.notEqual(blocks.length, 0, `calve ${command} has no example`);
    return blocks.map(([, block = '']) => ({ command, example: JSON.parse(block) }));
  });
}

test('every shape is documented with an example that has it, field by field', async () => {
  const examples = await documented();
  assert.deepEqual([...new Set(examples.map(({ command }) => command))].sort(), Object.keys(shapes).sort());
  for (const { command, example } of examples) check(command, example);
});

test('what the program prints has the documented shape', async () => {
  await using folder = await temporaryFolder();
  // Here is where nearly every command is run as people run it: what it prints arrives whole, and its process ends.
  const calve = await smallStore(folder, { ownProcesses: true });
  const onDisk = ['-F', 'raw', '-b', folder.join('disk.raw')];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...onDisk, folder.join('overlay.qcow2')]);
  await mkdir(folder.join('vms'));
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', folder.join('vms', 'alone.qcow2'), '1M']);
  const printed = async (command: string, ...words: string[]): Promise<unknown> =>
    check(command, await calve.json(...command.split(' '), ...words));

  await printed('import', folder.join('disk.raw'), 'disk:2', '--onto', 'disk:1');
  await printed('import', folder.join('overlay.qcow2'), 'overlay', '--chain', '--snapshots');
  await printed('adopt', folder.join('vms'));
  await printed('new', 'disk:1', '-n', '2');
  await printed('status', 'one');
  await printed('diff', 'one', 'two');
  await printed('diff --blocks', 'one', 'two');
  await printed('diff --blocks', '--stat', 'two');
  await printed('commit', 'one', '-m', 'sevens');
  await printed('ls');
  await printed('images');
  await printed('log');
  await printed('log --refs', 'disk:1');
  await printed('show', 'disk:1');
  await printed('show', 'one');
  await printed('df');
  await calve.ok('rm', 'two');
  await printed('trash ls');
  await printed('gc', '--dry-run', '--prune=now', '-v');
  await printed('fsck');
  await printed('nbd', '--fork', '-k', folder.join('socket'), 'disk:1');
  await printed('nbd --list', '-k', folder.join('socket'));
  await printed('push', 'disk:1', folder.join('shared'));
  await printed('pull', `${folder.join('shared')}:disk:1`, 'pulled');
  await printed('remote ls', folder.join('shared'));
  await printed('remote ls');
  await printed('config');
  await printed('config', 'trash.days');
});

test('every command that takes --json is documented', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  for (const { name, group } of verbTable) {
    if (group === undefined) continue;
    const listed = await calve.ok('__complete', '--', name, '--js');
    assert.equal(listed.startsWith('--json'), name in shapes, name);
  }
});

function check(command: string, value: unknown): unknown {
  const shape = shapes[command];
  assert.ok(shape !== undefined, command);
  try {
    return parse(shape, value);
  } catch (error) {
    const issues = error instanceof Error && 'issues' in error ? error.issues : [];
    assert.fail(
      `calve ${command}: ${error} ${JSON.stringify(issues, (key, part) => (key === 'input' || key === 'value' ? undefined : part), 1)}`,
    );
  }
}
