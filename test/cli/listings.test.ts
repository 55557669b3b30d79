import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf } from '../support/messages-of.ts';
import { report } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallStore } from './small-store.ts';

test('data goes to stdout, messages to stderr, and -q silences the messages', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const made = await calve.run(['new', 'disk:1', 'three']);
  assert.equal(made.stdout, 'three\n', report(made));
  assert.match(messagesOf(made), /^on disk:1 \([0-9a-f]{12}\):\n$/, report(made));
  const quiet = await calve.run(['new', 'disk:1', '-q', '-n', '2']);
  assert.match(quiet.stdout, /^\S+\n\S+\n$/, report(quiet));
  assert.equal(quiet.stderr, '', report(quiet));

  const commit = await calve.run(['commit', 'one', '-m', 'sevens\n\nin the third cluster']);
  assert.match(commit.stdout, /^[0-9a-f]{12}\n$/, report(commit));
  assert.match(
    messagesOf(commit),
    /^\[disk:1 [0-9a-f]{12}\] sevens\n1 cluster of data.*stored\n$/,
    report(commit),
  );
});

test('tables have headings and aligned columns, -q prints names only', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const ls = (await calve.ok('ls')).split('\n');
  assert.match(ls[0] ?? '', /^NAME +REF +VERSION +CREATED +CHANGED +STATE$/);
  assert.match(ls[1] ?? '', /^one +disk:1 +[0-9a-f]{12} +(just now|\S.* ago) +\S+ [KM]iB +idle$/);
  assert.equal(ls[0]?.indexOf('VERSION'), ls[1]?.search(/[0-9a-f]{12}/));
  assert.equal(await calve.ok('ps', '-q'), 'one\ntwo');
  assert.equal(await calve.ok('ls', '-q'), 'one\ntwo');

  assert.match(await calve.ok('images'), /^REF .*\ndisk:1 +[0-9a-f]{12} .* 1 MiB /);
  assert.equal(await calve.ok('images', '-q'), 'disk:1');
  assert.equal(await calve.ok('df', '-q'), 'disk:1\none\ntwo');
  assert.match(await calve.ok('df'), /^REF .*?\n\nENV .*?\n\nSTORE .*?\ntotal +\S+ [KM]iB$/s);
});

test('log shows the newest first, whole, in one line each, or drawn', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const second = await calve.ok('commit', 'one', '-m', 'second');
  const [, first = ''] = (await calve.ok('log', 'disk:1', '-q')).split('\n');
  assert.equal(await calve.ok('log', 'disk:1', '--oneline'), `${second} (disk:1) second\n${first} first`);
  assert.equal(await calve.ok('log', '--oneline', '-n', '1'), `${second} (disk:1) second`);
  assert.equal(
    await calve.ok('log', '--oneline', '--graph'),
    `* ${second} (disk:1) second\n* ${first} first`,
  );
  assert.match(
    await calve.ok('log'),
    /^version [0-9a-f]{12} \(disk:1\)\nAuthor: Tester .*\nDate: {3}\S+Z \(.*\)\nMade: {3}commit of one\nDepth: {2}2 layers\n\n {4}second\n\nversion /,
  );
});

test('where a name is an environment and a ref, the environment is taken and said to be', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  await calve.ok('tag', 'disk:1', 'one');
  for (const words of [
    ['show', 'one'],
    ['path', 'one'],
    ['diff', '--blocks', 'one'],
    ['export', 'one', folder.join('flat')],
  ]) {
    const ran = await calve.run(words);
    assert.equal(ran.code, 0, report(ran));
    assert.match(messagesOf(ran), /^one is an environment and a ref: taking the environment/, report(ran));
  }
  assert.match(await calve.ok('path', 'one'), /\/envs\/one\/disk\.qcow2$/);
  assert.match(await calve.ok('path', 'one:latest'), /\/blobs\/sha256\/[0-9a-f]{64}$/);
});

test('path --drive is an option that QEMU takes as it is, and read-only for a version', async () => {
  await using folder = await temporaryFolder('calve,test');
  const calve = await smallStore(folder);
  const path = await calve.ok('path', 'one');
  assert.equal(
    await calve.ok('path', '--drive', 'one'),
    `-drive file=${path.replaceAll(',', ',,')},format=qcow2,if=virtio`,
  );
  assert.match(await calve.ok('path', '--drive', 'disk:1'), /,readonly=on$/);
});

test('diff --blocks lists ranges, sums them up, and tells by its exit code with --exit-code', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const listed = await calve.run(['diff', '--blocks', 'one']);
  assert.equal(listed.code, 0, report(listed));
  assert.match(listed.stdout, /^M +131072 +65536\n$/, report(listed));
  const sum = '1 range differs: 64 KiB changed, 0 B added, 0 B removed';
  assert.equal(messagesOf(listed), `${sum}\n`);
  assert.equal(await calve.ok('diff', '--blocks', '--stat', 'one'), sum);
  const differing = await calve.run(['diff', '--blocks', '--exit-code', '-q', 'one', 'two']);
  assert.deepEqual([differing.code, differing.stdout, differing.stderr], [1, '', '']);
  assert.equal((await calve.run(['diff', '--blocks', '--exit-code', 'two', 'disk:1'])).code, 0);
});

test('a commit of nothing is a failure, a fsck that finds something too', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  assert.match(await calve.refuses('commit', 'two', '-m', 'nothing'), /^calve: /);
  const ran = await calve.run(['fsck']);
  assert.equal(ran.code, 0, report(ran));
  assert.equal(ran.stdout, '');
  assert.match(
    messagesOf(ran),
    /^no problem in \d+ blobs \(.*\), 1 versions?, 1 refs?, 2 environments, 0 in the trash\n$/,
  );
});
