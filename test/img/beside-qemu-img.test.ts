import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { imgCommands } from '../../src/cli/img/command-table.ts';
import { runImg } from '../../src/cli/img/run-img.ts';
import { run, succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ALLOWED, alike } from './allowed-differences.ts';
import { amendScenarios } from './amend-scenarios.ts';
import { convertScenarios } from './convert-scenarios.ts';
import { moveScenarios } from './move-scenarios.ts';
import { optionScenarios } from './option-scenarios.ts';
import { scenarios } from './scenarios.ts';

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ALL = [...scenarios, ...convertScenarios, ...moveScenarios, ...optionScenarios, ...amendScenarios];

for (const { name, lines, images = [] } of ALL) {
  test(name, async () => {
    await using folder = await temporaryFolder();
    const [ours, theirs] = [folder.join('ours'), folder.join('theirs')];
    for (const each of [ours, theirs]) await mkdir(each);
    const differences: string[] = [];
    for (const line of lines) {
      if (line.startsWith('$ ')) {
        for (const cwd of [ours, theirs]) await succeed('/bin/sh', ['-ec', line.slice(2)], { cwd });
        continue;
      }
      const words = wordsOf(line);
      const [got, expected] = await Promise.all([byUs(words, ours), run('qemu-img', words, { cwd: theirs })]);
      const [left, right] = [told(got), told(expected)];
      if (left !== right) differences.push(`qemu-img ${line}\n--- expected\n${right}--- got\n${left}`);
    }
    assert.equal(differences.join('\n'), '');
    if (images.length > 0) await Promise.all([ours, theirs].map(settle));
    for (const image of images) await compareImages(image, ours, theirs);
  });
}

/** Split at spaces outside of double quotes, which go, but where they belong to JSON. */
function wordsOf(line: string): string[] {
  if (line === '') return [];
  return (line.match(/json:\S*|"[^"]*"|[^\s"]+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
}

async function byUs(words: readonly string[], cwd: string): Promise<Outcome> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  process.chdir(cwd);
  try {
    const code = await runImg(words, {
      program: 'qemu-img',
      print: (text) => stdout.push(text),
      complain: (text) => stderr.push(text),
      signal: new AbortController().signal,
    });
    return { code, stdout: stdout.join(''), stderr: stderr.join('') };
  } finally {
    process.chdir('/');
  }
}

function told({ code, stdout, stderr }: Outcome): string {
  return alike(`${stdout}${stderr}exit code ${code}\n`);
}

/** Where a file's holes are is not told alike before and while it is written to the disk, nor where the page cache has it. */
async function settle(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => join(folder, name));
  await succeed('sync', ['-d', ...files]);
  // With `count=0` of the whole file, by the manual of dd.
  for (const file of files) await succeed('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** QEMU finds no difference between an image of ours and one of its own. */
async function compareImages(image: string, ours: string, theirs: string): Promise<void> {
  const [left, right] = [join(ours, image), join(theirs, image)];
  await succeed('qemu-img', ['compare', '-s', left, right]);
  for (const words of [
    ['info', '--output=json', image],
    ['map', '--output=json', image],
  ]) {
    const [got, expected] = await Promise.all([ours, theirs].map((cwd) => run('qemu-img', words, { cwd })));
    assert.equal(placeless(got?.stdout), placeless(expected?.stdout), `${words[0]} ${image}`);
  }
  const checked = await run('qemu-img', ['check', image], { cwd: ours });
  assert.ok(checked.code === 0 || checked.code === 63, checked.stdout + checked.stderr);
}

/** Where structures of a new image lie is the same only where they have their places from the start. */
function placeless(output = ''): string {
  return alike(output).replace(/, "offset": \d+/g, '');
}

test('every allowed difference says why', () => {
  for (const { reason } of ALLOWED) assert.ok(reason.length > 10);
});

test('every option of every command is among them', async () => {
  const missing: string[] = [];
  for (const [name, load] of Object.entries(imgCommands)) {
    const typed = ALL.flatMap(({ lines }) => lines).filter((line) => line.startsWith(`${name} `));
    for (const [words] of (await load()).help) {
      for (const option of words.match(/(?<![\w-])(--[a-z-]+|-[a-zA-Z]\b)/g) ?? []) {
        const pattern = new RegExp(
          option.startsWith('--') ? ` ${option}\\b` : ` -[a-zA-Z]*${option.slice(1)}`,
        );
        if (!typed.some((line) => pattern.test(line))) missing.push(`${name} ${option}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});
