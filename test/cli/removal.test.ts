import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf } from '../support/messages-of.ts';
import { report } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallStore } from './small-store.ts';

test('without a terminal rm moves to the trash unasked, says what was not saved and how to have it back', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const ran = await calve.run(['rm', 'one', 'two']);
  assert.equal(ran.code, 0, report(ran));
  assert.equal(ran.stdout, '');
  const [first = '', second = ''] = ran.stderr.split('\n');
  const [, command, id = ''] =
    /^removed one: with 64 KiB that is not committed; .*(calve trash restore (\S+))$/.exec(first) ?? [];
  assert.ok(command !== undefined, first);
  assert.match(second, /^removed two: nothing was unsaved; .*calve trash restore two@\S+$/);
  assert.equal(await calve.ok('ls', '-q'), '');
  assert.equal((await calve.ok('trash', 'ls', '-q')).split('\n').length, 2);

  await calve.ok('trash', 'restore', id);
  assert.match(await calve.ok('status', 'one'), /not committed: 64 KiB in 1 cluster$/);
  await calve.ok('trash', 'restore', 'two', 'three');
  assert.equal(await calve.ok('ls', '-q'), 'one\nthree');
});

test('a name that is not there keeps rm from removing the others', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  assert.match(await calve.refuses('rm', 'one', 'nobody'), /nobody/);
  assert.equal(await calve.ok('ls', '-q'), 'one\ntwo');
});

test('rm --force deletes without the trash', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const ran = await calve.run(['rm', '-f', 'one']);
  assert.equal(ran.code, 0, report(ran));
  assert.equal(messagesOf(ran), 'deleted one: with 64 KiB that is not committed\n');
  assert.equal(await calve.ok('trash', 'ls', '-q'), '');
});

test('without a terminal the trash is emptied only with -y', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  await calve.ok('rm', 'one', 'two');
  const refused = await calve.run(['trash', 'empty']);
  assert.equal(refused.code, 2, report(refused));
  assert.match(refused.stderr, /^calve: .*nothing is deleted\nhint: calve trash empty -y\n$/);
  const [newest = '', oldest = ''] = (await calve.ok('trash', 'ls', '-q')).split('\n');
  await calve.ok('trash', 'empty', '-y', newest);
  assert.equal(await calve.ok('trash', 'ls', '-q'), oldest);
  await calve.ok('-y', 'trash', 'empty');
  assert.equal(await calve.ok('trash', 'ls', '-q'), '');
});

test('reset says what went to the trash, and a ref that moves says where it was', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const reset = await calve.run(['reset', 'one']);
  assert.equal(reset.code, 0, report(reset));
  assert.match(messagesOf(reset), /^one is back at disk:1 .*\n.*calve trash restore one@\S+ NAME\n$/);
  assert.match(await calve.ok('status', 'one'), /nothing changed/);

  const base = await calve.ok('log', 'disk:1', '-q');
  await calve.ok('trash', 'restore', 'one', 'back');
  const next = await calve.ok('commit', 'back', '-m', 'sevens', '-t', 'disk:2', '-q');
  const moved = await calve.run(['tag', 'disk:2', 'disk:1']);
  assert.equal(
    messagesOf(moved),
    `disk:1 moved from ${base} to ${next}; to undo: calve tag ${base} disk:1\n`,
  );
  const removed = await calve.run(['untag', 'disk:2']);
  assert.equal(
    messagesOf(removed),
    `removed disk:2, which named ${next}; to undo: calve tag ${next} disk:2\n`,
  );
});
