import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { verbTable } from '../../src/cli/verb-table.ts';
import { commandLine } from '../support/calve.ts';
import { type Ran, report, run } from '../support/programs.ts';
import { runResident } from '../support/resident-program.ts';
import { temporaryFolder } from '../support/temporary.ts';

const DOCS = new URL('../../docs/', import.meta.url);
const PAGE = new URL('commands.md', DOCS);
const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

test('docs/commands.md explains every command and every option of it', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const sections = (await readFile(PAGE, 'utf8')).split(/^###? /m);
  for (const { name, alias, group } of verbTable) {
    if (group === undefined) continue;
    const section = sections.find((each) => each.startsWith(`calve ${name}`));
    assert.ok(section !== undefined, `calve ${name} has no section`);
    assert.match(section, /^\$ .*\bcalve\b/m, `calve ${name} has no example`);
    if (alias !== undefined) assert.ok(section.includes(`calve ${alias}`), alias);
    const [own = ''] = (await calve.ok('help', name)).split('\nGlobal Options:');
    for (const [, option] of own.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)) {
      if (option !== '--help') assert.ok(section.includes(option ?? ''), `calve ${name} ${option}`);
    }
  }
});

for (const page of ['commands.md', 'img.md'])
  test(`the examples of docs/${page} do what they show`, () => tryExamples(page));

async function tryExamples(page: string): Promise<void> {
  await using folder = await temporaryFolder();
  const home = folder.join('home');
  await mkdir(home);
  await writeFile(folder.join('calve'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, {
    mode: 0o755,
  });
  const env = {
    HOME: home,
    PATH: `${folder.path}:${process.env['PATH']}`,
    CALVE_AUTHOR: 'Ada',
    CALVE_STORE: undefined,
    XDG_DATA_HOME: undefined,
  };
  const blocks = (await readFile(new URL(page, DOCS), 'utf8')).matchAll(/^```console\n(.*?)^```$/gms);
  for (const [, block = ''] of blocks) {
    for (const part of block.split(/^\$ /m).slice(1)) {
      const [line = '', ...expected] = part.split('\n');
      const words = wordsOf(line);
      const inShell = () => run('/bin/bash', ['-c', `{ ${line}; } 2>&1`], { cwd: home, env });
      const options = { cwd: home, env: { ...process.env, ...env } };
      const ran: Ran = await (words === undefined ? inShell() : runResident(words, options));
      assert.equal(ran.code, 0, report(ran));
      const shown = ran.shown ?? ran.stdout;
      assert.equal(alike(shown.replaceAll(home, '/home/ada')), alike(expected.join('\n')), `$ ${line}`);
    }
  }
}

/** The words of a line that needs no shell to be understood, nor a process of its own; undefined for any other. */
function wordsOf(line: string): string[] | undefined {
  if (!/^calve(?: (?:[\w./:@=,%+-]+|'[^']*'))*$/.test(line) || /^calve (?:nbd|demo)\b/.test(line))
    return undefined;
  return [...line.matchAll(/ (?:'([^']*)'|(\S+))/g)].map(([, quoted, bare = '']) => quoted ?? bare);
}

/** What of an output is the same on every machine and every day. */
function alike(output: string): string {
  return (
    output
      // A terminal shows the last of what was written over one line.
      .replace(/^.*\r+(?=.)/gm, '')
      // Said only by work that takes longer than a second.
      .replace(/^\w+ .+: \d+%, .*\n/gm, '')
      .replace(/\d{8}T\d{6}\.\d+Z/g, 'TIME')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/just now|(\d+ |about an? )\w+ ago|in \d+ days/g, 'AGE')
      .replace(/\b[0-9a-f]{12,64}\b/g, 'DIGEST')
      .replace(/[\d.]+ (B|KiB|MiB)\b/g, 'SIZE')
      .replace(/[\d.]+ ops.*|.*bytes at offset.*/g, 'SPEED')
      .replace(/ +/g, ' ')
      .trimEnd()
  );
}
