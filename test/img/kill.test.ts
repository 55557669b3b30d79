import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startNode } from '../support/node.ts';
import { type Running, report, run, succeed } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { rounds, SEED } from '../support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';

/** Of each command. */
const KILLS = rounds(3, 100);
const MIB = 2 ** 20;
const OPTIONS = ['-o', 'cluster_size=4k'];

/** What is done to `over`, and whether it may read otherwise afterwards. */
const COMMANDS = [
  { words: ['commit', 'over'], changes: false },
  { words: ['rebase', '-b', 'other', '-F', 'raw', 'over'], changes: false },
  { words: ['resize', '--shrink', 'over', '1M'], changes: true },
  { words: ['amend', '-o', 'refcount_bits=64', 'over'], changes: false },
  { words: ['snapshot', '-a', 'kept', 'over'], changes: true },
] as const;

const random = seededRandom(SEED);
const over = new AbortController();
let folder: TemporaryFolder;
before(async () => {
  folder = await temporaryFolder();
  await mkdir(folder.join('start'));
  const cwd = folder.join('start');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...OPTIONS, 'base', `${16 * MIB}`], { cwd });
  await succeed('qemu-img', ['create', '-q', '-f', 'raw', 'other', `${12 * MIB}`], { cwd });
  await scatter('base', 'qcow2', 300, cwd);
  await scatter('other', 'raw', 300, cwd);
  const backing = ['-b', 'base', '-F', 'qcow2'];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...OPTIONS, ...backing, 'over'], { cwd });
  await scatter('over', 'qcow2', 300, cwd);
  await succeed('qemu-img', ['snapshot', '-c', 'kept', 'over'], { cwd });
  await scatter('over', 'qcow2', 300, cwd);
});
after(async () => {
  over.abort();
  await folder[Symbol.asyncDispose]();
});

async function scatter(image: string, format: string, count: number, cwd: string): Promise<void> {
  const lines = Array.from({ length: count }, () => {
    const [value, at] = [1 + Math.floor(random() * 254), Math.floor(random() * 11.9 * MIB)];
    return `write -q -P ${value} ${at - (at % 512)} ${1024 + 512 * Math.floor(random() * 40)}\n`;
  });
  await succeed('qemu-io', ['-f', format, image], { cwd, input: lines.join('') });
}

async function said(running: Running, what: RegExp): Promise<string> {
  const ended = running.ended.then(() => 'ended');
  while (!what.test(running.stdout())) {
    const next = await Promise.race([once(running.child.stdout ?? running.child, 'data'), ended]);
    if (next === 'ended' && !what.test(running.stdout())) assert.fail(report(await running.ended));
  }
  return what.exec(running.stdout())?.[1] ?? '';
}

/** Runs a command, and kills it after a random part of the time that it takes; says whether it had not ended by then. */
async function killInside(words: readonly string[], folders: readonly string[]): Promise<boolean> {
  const program = fileURLToPath(new URL('victim.ts', import.meta.url));
  const running = startNode(program, [...folders, ...words], { signal: over.signal });
  const took = await said(running, /^ready (.*)\n/m);
  running.child.stdin?.write('go\n');
  await said(running, /^(begin)$/m);
  await setTimeout(random() * Number(took));
  running.child.kill('SIGKILL');
  const ended = await running.ended;
  return ended.signal === 'SIGKILL' && !ended.stdout.includes('done');
}

async function assertSound(cwd: string, where: string): Promise<void> {
  for (const image of ['over', 'base']) {
    const checked = await run('qemu-img', ['check', '-f', 'qcow2', image], { cwd });
    // 3: clusters leaked, and nothing worse.
    assert.ok(checked.code === 0 || checked.code === 3, `${where}: ${report(checked)}`);
  }
}

async function readsAs(cwd: string, content: string): Promise<boolean> {
  const compared = await run('qemu-img', ['compare', '-s', '-F', 'raw', '-f', 'raw', 'now', content], {
    cwd,
  });
  return compared.code === 0;
}

/** What `over` reads, as a raw file without holes, beside the images. */
async function readOver(cwd: string, into: string): Promise<void> {
  await succeed('qemu-img', ['convert', '-S', '0', '-O', 'raw', 'over', into], { cwd });
}

describe(`${KILLS} kills -9 in the middle of each command leave the image as before or after`, () => {
  for (const { words, changes } of COMMANDS) {
    it(words.join(' '), async (t) => {
      t.diagnostic(`CALVE_SEED=${SEED}`);
      const start = folder.join('start');
      await readOver(start, folder.join('before'));
      let [inside, happened] = [0, 0];
      // A kill that came too late does not count; but that all come too late is no endless test.
      let kill = 0;
      for (; inside < KILLS && kill < 5 * KILLS; kill += 1) {
        const [warm, timed, victim] = [folder.join('warm'), folder.join('timed'), folder.join('victim')];
        for (const copy of [warm, timed, victim]) await cp(start, copy, { recursive: true });
        if (await killInside(words, [warm, timed, victim])) inside += 1;
        const where = `${words[0]}, kill ${kill}`;
        await assertSound(victim, where);
        await readOver(victim, 'now');
        await readOver(warm, join(warm, 'after'));
        const isAfter = await readsAs(victim, join(warm, 'after'));
        if (isAfter) happened += 1;
        assert.ok(isAfter || (await readsAs(victim, folder.join('before'))), where);
        assert.ok(changes || isAfter, where);
        for (const copy of [warm, timed, victim]) await rm(copy, { recursive: true });
      }
      t.diagnostic(`${inside} of ${kill} were killed inside, ${happened} read as after`);
      assert.ok(inside > 0);
    });
  }
});
