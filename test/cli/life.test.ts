import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { report } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallStore } from './small-store.ts';

test('a ref that was moved or removed comes back from its history, which can be listed and completed', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const [first = ''] = (await calve.ok('log', 'disk:1', '-q')).split('\n');
  const second = await calve.ok('commit', 'one', '-m', 'second');
  await calve.ok('untag', 'disk:1');
  const listed = (await calve.ok('log', '--refs', 'disk:1')).split('\n');
  assert.match(listed[0] ?? '', /^NAME +WHEN +FROM +TO +BY$/);
  assert.match(listed[1] ?? '', new RegExp(`^disk:1@\\{0\\} .* ${second} +- +untag$`));
  assert.match(listed[2] ?? '', new RegExp(`^disk:1@\\{1\\} .* ${first} +${second} +commit$`));
  assert.match(listed[3] ?? '', new RegExp(`^disk:1@\\{2\\} .* - +${first} +import$`));
  assert.equal(await calve.ok('log', '--refs', '-q', '-n', '1'), 'disk:1@{0}');
  assert.match(await calve.refuses('tag', 'disk:1@{0}', 'disk:1'), /the ref was removed then/);
  const completed = await calve.ok('__complete', '--', 'tag', 'disk:1@');
  assert.match(completed, /^disk:1@\{0\}\tuntag\ndisk:1@\{1\}\tcommit\ndisk:1@\{2\}\timport$/);

  await calve.ok('tag', 'disk:1@{1}', 'disk:1');
  assert.equal(await calve.ok('log', 'disk:1', '-q', '-n', '1'), second);
  await calve.ok('tag', 'disk:1@{3}', 'disk:1');
  assert.equal(await calve.ok('log', 'disk:1', '-q', '-n', '1'), first);
});

test('a protected ref is refused by whatever would move it, with the command that would let it', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  await calve.ok('protect', 'disk:1');
  for (const words of [
    ['untag', 'disk:1'],
    ['commit', 'one'],
    ['import', folder.join('disk.raw'), 'disk:1'],
  ]) {
    assert.match(
      await calve.refuses(...words),
      /^calve: disk:1 is protected: it stays at version [0-9a-f]{12}\nhint: calve unprotect disk:1$/m,
    );
  }
  assert.match(await calve.ok('images'), / PROTECTED\ndisk:1 .* yes$/);
  assert.match(await calve.ok('show', 'disk:1'), /^protected disk:1$/m);
  await calve.ok('unprotect', 'disk:1');
  await calve.ok('commit', 'one');
});

test('an environment that is broken, or whose base is, can be removed', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  const [env] = await calve.json<{ version: string }[]>('ls');
  await rm(`${calve.store}/blobs/${env?.version.replace(':', '/')}`);
  const removed = await calve.run(['rm', 'one']);
  assert.match(removed.stderr, /^removed one: with up to .* that is not committed; /, report(removed));
  await rm(await calve.ok('path', 'two'));
  assert.match(await calve.refuses('rm', 'two'), /hint: calve rm --force two/);
  const deleted = await calve.run(['rm', '--force', 'two']);
  assert.match(deleted.stderr, /^deleted two: with what cannot be told any more/, report(deleted));
  assert.equal(await calve.ok('ls', '-q'), '');
});

test('the trash tells when each entry expires, and is emptied by age, all that is meant or nothing', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  await calve.ok('rm', 'one', 'two');
  assert.match(await calve.ok('trash', 'ls'), /EXPIRES +SPACE\n.* in [67] days +/);
  assert.equal(await calve.ok('trash', 'empty', '-y', '--older-than', '1h'), '');
  assert.match(await calve.refuses('trash', 'empty', '-y', 'one', 'three'), /the trash has no three/);
  assert.equal((await calve.ok('trash', 'ls', '-q')).split('\n').length, 2);
  await calve.ok('config', 'trash.days', '0');
  assert.match(await calve.ok('trash', 'ls'), / expired +/);
  const collected = await calve.run(['gc', '--dry-run']);
  assert.match(collected.stdout, /^trash +(one|two)@.*\n +removed .*, expired .*\ntrash /, report(collected));
  await calve.ok('trash', 'empty', '-y', '--older-than', '0');
  assert.equal(await calve.ok('trash', 'ls', '-q'), '');
});

test('what is misunderstood is said to be', async () => {
  await using folder = await temporaryFolder();
  const calve = await smallStore(folder);
  for (const [words, pattern] of [
    [['config', 'trash.days', 'soon'], /^calve: trash\.days: expected whole days .*got "soon"$/m],
    [['config', 'colour'], /^calve: setting 'colour': expected one of trash\.days, .*\nhint: calve config$/m],
    [['config', '--unset'], /--unset wants a key/],
    [['gc', '--prune=tomorrow'], /expected days, or a number with m, h, d or w/],
    [['log', '--refs', '--graph'], /--refs takes no --graph/],
  ] as const) {
    const ran = await calve.run([...words]);
    assert.equal(ran.code, 2, report(ran));
    assert.match(ran.stderr, pattern, report(ran));
  }
  await writeFile(`${calve.store}/config.json`, '{"gc":{"graceDays":-1}}');
  assert.match(
    await calve.refuses('gc'),
    /config\.json: gc\.graceDays: .*\nhint: calve config --unset gc\.graceDays/,
  );
});
