import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { verbTable } from '../../src/cli/verb-table.ts';
import { commandLine } from '../support/calve.ts';
import { report } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('what cannot be understood exits 2, says why in one line and where to look, and makes no store', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const cases: [words: string[], said: RegExp][] = [
    [['lss'], /^calve: unknown command 'lss'\n\(Did you mean ls\?\)\nhint: calve --help\n$/],
    [['ls', '--foo'], /^calve: unknown option '--foo'\nhint: calve help ls\n$/],
    [['ls', 'extra'], /^calve: too many arguments.*\nhint: calve help ls\n$/],
    [['new'], /^calve: missing required argument 'ref'\nhint: calve help new\n$/],
    [
      ['new', 'a', '-n', 'many'],
      /^calve: option '-n, --number <count>' argument 'many' is invalid.*\nhint: /,
    ],
    [
      ['import', 'disk', '--format', 'qed'],
      /^calve: option '--format <format>' argument 'qed' is invalid.*\nhint: /,
    ],
    [
      ['import', 'disk', '--max-layer-size', 'tiny'],
      /^calve: option '--max-layer-size <size>' argument 'tiny' is invalid.* 512M.*\nhint: calve help import\n$/,
    ],
    [
      ['diff', '--blocks', '--content', '/etc/motd', 'a', 'b'],
      /^calve: --blocks and --content do not go together\n$/,
    ],
    [['log', '--graph', 'a', '--', '/etc'], /^calve: a path and --graph do not go together\n$/],
    [['completion', 'tcsh'], /^calve: .*'tcsh'.*bash, zsh, fish.*\nhint: calve help completion\n$/],
    [['help', 'nothing'], /^calve: there is no command nothing\nhint: calve --help\n$/],
  ];
  for (const [words, said] of cases) {
    const ran = await calve.run(words);
    assert.equal(ran.code, 2, report(ran));
    assert.match(ran.stderr, said, report(ran));
    assert.equal(ran.stdout, '', report(ran));
  }
  assert.ok(!existsSync(calve.store));
});

test('a command line without a command is a usage error that shows them all', async () => {
  await using folder = await temporaryFolder();
  const ran = await commandLine(folder.join('store')).run([]);
  assert.equal(ran.code, 2);
  assert.equal(ran.stdout, '');
  for (const { name, group } of verbTable)
    if (group !== undefined) assert.match(ran.stderr, new RegExp(`^  ${name}\\b`, 'm'));
});

test('help lists every command, and explains each one with an example that begins with it', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const all = await calve.ok('--help');
  for (const { name, group, summary } of verbTable) {
    if (group === undefined) continue;
    assert.ok(all.includes(summary), `calve --help does not tell what ${name} is for`);
    const help = await calve.ok('help', name);
    // Its help is qemu-img's.
    if (name === 'img') {
      assert.match(help, /^usage: calve img .*\n(?:.*\n)*Commands:\n/);
      assert.equal(await calve.ok('img', '--help'), help);
      assert.equal(await calve.ok('help', 'img', 'check'), await calve.ok('img', 'check', '--help'));
      continue;
    }
    assert.match(help, new RegExp(`^Usage: calve ${name}\\b`), help);
    assert.match(help, new RegExp(`\nExamples:\n(?:.*\n)*?.*calve (?:--?\\w+ )*${name}\\b`), help);
    assert.equal(await calve.ok(name, '--help'), help);
  }
  assert.match(await calve.ok('help', 'trash', 'restore'), /^Usage: calve trash restore/);
});

test('--version prints the version of the package', async () => {
  await using folder = await temporaryFolder();
  assert.match(await commandLine(folder.join('store')).ok('--version'), /^\d+\.\d+\.\d+(-[\w.]+)?$/);
});

test('an error of the store is one line and a hint, and a stack only with CALVE_DEBUG=1', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const ran = await calve.run(['status', 'nobody']);
  assert.equal(ran.code, 1, report(ran));
  assert.match(ran.stderr, /^calve: .*nobody.*\n(hint: .*\n)?$/, report(ran));
  const debug = await calve.run(['status', 'nobody'], { env: { CALVE_DEBUG: '1' } });
  assert.equal(debug.code, 1);
  assert.match(debug.stderr, /^ {4}at /m, report(debug));
});

test('a store that --store names must be there, unless a command makes one', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const elsewhere = folder.join('elsewhere');
  assert.match(await calve.refuses('--store', elsewhere, 'ls'), /elsewhere/);
  assert.ok(!existsSync(elsewhere));
  assert.equal(await calve.ok('--store', elsewhere, 'init'), elsewhere);
  assert.match(await calve.ok('ls', '--store', elsewhere), /^NAME/);
  assert.match(await calve.ok('ls'), /^NAME/);
});
