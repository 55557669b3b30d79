// A large tree goes into a guest and comes out again; the long form (npm run tree) tells how long that takes beside `cp -a`
// and a loop mount.
import assert from 'node:assert/strict';
import { chmod, chown, copyFile, link, lutimes, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { makeExtImage, whileMounted } from '../support/ext-image.ts';
import { peakOf, TELL_PEAK } from '../support/peak-memory.ts';
import { report, succeed } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { noise } from '../support/store-scene.ts';
import { LONG, rounds, SEED } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { factsOfFolder, type TreeFacts } from '../support/tree-facts.ts';

const FILES = rounds(300, 100_000);
const PER_FOLDER = LONG ? 200 : 30;
/** Of the disk; files are half of this on average. */
const LARGEST_FILE = 16_384;
const DISK = (24 << 20) + FILES * (LARGEST_FILE + 4096);
/** MiB; running from the sources takes some 20 of them. */
const MOST_MEMORY = 200;

/** Files of every length in folders of folders; among them symlinks, further names, times and modes of many kinds. */
async function makeTree(folder: string): Promise<void> {
  const random = seededRandom(SEED);
  const content = noise('tree', 2 * LARGEST_FILE);
  await mkdir(folder);
  for (let number = 0; number < FILES; number += 1) {
    const group = Math.floor(number / PER_FOLDER);
    const here = `${folder}/group-${group % 40}/${group}`;
    if (number % PER_FOLDER === 0) await mkdir(here, { recursive: true });
    const path = `${here}/file ${number}`;
    const length = Math.floor(random() * LARGEST_FILE);
    const from = Math.floor(random() * LARGEST_FILE);
    await writeFile(path, content.subarray(from, from + length));
    // Ahead of the mode: a new owner takes setuid away.
    if (number % 5 === 0) await chown(path, number % 70_000, 100);
    if (number % 3 === 0) await chmod(path, number % 9 === 0 ? 0o4711 : 0o600);
    await utimes(path, 1_600_000_000 + number, 1_500_000_000.5 + number);
    if (number % 50 === 0) {
      await symlink(`../${number}`, `${path} link`);
      await lutimes(`${path} link`, 1_400_000_000, 1_400_000_001);
    }
    if (number % 100 === 1) await link(path, `${path} again`);
  }
}

/** What `files --json` tells of a file, of which this is a part. */
interface Listed {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What counts of a tree that was copied; times of reading change as it is read. */
function compared(facts: TreeFacts): Record<string, unknown> {
  const kept = Object.entries(facts).map(([path, { inode, ctime, crtime, atime, links, ...rest }]) => {
    const told = rest['type'] === 'directory' ? rest : { ...rest, links };
    return [
      path,
      JSON.stringify(told, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
    ] as const;
  });
  return Object.fromEntries(kept.sort());
}

test(`a tree of ${FILES} files comes out of a guest as it went in, in bounded memory`, async (t) => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const tree = folder.join('tree');
  await makeTree(tree);
  const disk = folder.join('disk.raw');
  await makeExtImage(disk, DISK, ['-t', 'ext4', '-i', '8192']);
  await calve.ok('-q', 'import', disk, 'guest:1');
  await calve.ok('new', 'guest:1', 'work');

  const timed = async (what: string, action: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    await action();
    t.diagnostic(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  };
  const copy = async (...words: string[]): Promise<void> => {
    const ran = await calve.run(['cp', ...words], {
      env: { NODE_OPTIONS: TELL_PEAK },
      timeout: 3_600_000,
    });
    assert.equal(ran.code, 0, report(ran));
    t.diagnostic(`resident at most ${peakOf(ran).toFixed(0)} MiB`);
    assert.ok(peakOf(ran) < MOST_MEMORY, `${peakOf(ran)} MiB`);
  };
  await timed('in', () => copy(tree, 'work:/'));
  await timed('out', () => copy('work:/tree', folder.join('back')));
  if (LONG) {
    const beside = folder.join('beside.raw');
    await copyFile(disk, beside);
    const options = { timeout: 3_600_000 };
    for (const [what, from, to] of [
      ['in', tree, folder.join('mounted')],
      ['out', folder.join('mounted', 'tree'), folder.join('beside')],
    ] as const) {
      await timed(`${what}, by cp -a and a loop mount`, () =>
        whileMounted(beside, folder.join('mounted'), 'rw', () => succeed('cp', ['-a', from, to], options)),
      );
    }
  }
  const before = await factsOfFolder(tree, { crtime: false });
  assert.deepEqual(compared(await factsOfFolder(folder.join('back'), { crtime: false })), compared(before));
  let listed = '';
  await timed('files -R', async () => {
    const ran = await calve.run(['files', '-R', 'work:/tree', '--json'], { timeout: 600_000 });
    assert.equal(ran.code, 0, report(ran));
    listed = ran.stdout;
  });
  const { files }: { files: Listed[] } = JSON.parse(listed);
  assert.deepEqual(
    files.map(({ path, type, mode, uid, gid }) => [path, type, mode, uid, gid].join(' ')).sort(),
    Object.entries(before)
      .map(([path, { type, mode, uid, gid }]) => [path, type, mode, uid, gid].join(' '))
      .sort(),
  );
  const raw = folder.join('after.raw');
  await calve.ok('-q', 'export', 'work', raw);
  await succeed('e2fsck', ['-fn', raw], { timeout: 600_000 });
});
