import assert from 'node:assert/strict';
import { copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { parse } from 'valibot';
import { openRawDisk } from '../../src/disk/index.ts';
import { differences } from '../../src/img/index.ts';
import { openStore } from '../../src/store/index.ts';
import { type CommandLine, commandLine } from '../support/calve.ts';
import { makeExtImage } from '../support/ext-image.ts';
import { messagesOf } from '../support/messages-of.ts';
import { report, succeed } from '../support/programs.ts';
import { noise } from '../support/store-scene.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { shapes } from './shapes.ts';

const MiB = 1 << 20;
const ROOT = 1;
const DATA = 13;
const SWAP = 17;

/** Changes the file system at so many MiB of a disk by commands of debugfs. */
async function debugfs(disk: string, at: number, commands: readonly string[]): Promise<void> {
  const target = `${disk}?offset=${at * MiB}`;
  await succeed('debugfs', ['-w', '-f', '-', target], { input: `${commands.join('\n')}\n` });
}

/** A disk with a root, data and swap, and the same after changes. */
async function makeDisks(folder: TemporaryFolder): Promise<readonly [string, string]> {
  const root = folder.join('root');
  for (const name of ['etc', 'usr', 'var/old']) await mkdir(`${root}/${name}`, { recursive: true });
  await writeFile(`${root}/etc/hosts`, 'one\ntwo\nthree\nfour\nfive\n');
  await writeFile(`${root}/etc/shadow`, 'secret\n');
  await writeFile(`${root}/etc/motd`, 'hello\n');
  await writeFile(`${root}/etc/binary`, Buffer.concat([Buffer.alloc(1), noise('binary', 3000)]));
  await writeFile(`${root}/var/large`, noise('large', 2 * MiB));
  await writeFile(`${root}/var/same`, noise('same', 5000));
  for (const name of ['a', 'b']) await writeFile(`${root}/var/old/${name}`, name);
  await mkdir(folder.join('data'));
  await writeFile(folder.join('data/notes'), 'data\n');
  await makeExtImage(folder.join('1'), 12 * MiB, ['-t', 'ext4', '-L', 'root', '-d', root]);
  await makeExtImage(folder.join('2'), 4 * MiB, ['-t', 'ext2', '-L', 'data', '-d', folder.join('data')]);
  const disks = [folder.join('before.raw'), folder.join('after.raw')] as const;
  await writeFile(disks[0], '');
  await truncate(disks[0], 24 * MiB);
  await succeed('sfdisk', ['-q', disks[0]], { input: 'label: gpt\nsize=12M\nsize=4M\nsize=4M, type=S\n' });
  await writeAt(disks[0], ROOT, await readFile(folder.join('1')));
  await writeAt(disks[0], DATA, await readFile(folder.join('2')));
  await writeFile(folder.join('swap'), '');
  await truncate(folder.join('swap'), 4 * MiB);
  await succeed('mkswap', [folder.join('swap')]);
  await writeAt(disks[0], SWAP, await readFile(folder.join('swap')));
  await copyFile(disks[0], disks[1]);
  await change(folder, disks[1]);
  return disks;
}

async function change(folder: TemporaryFolder, disk: string): Promise<void> {
  await writeFile(folder.join('hosts'), 'one\ntwo\n3\nfour\nfive');
  await writeFile(folder.join('binary'), Buffer.concat([Buffer.alloc(1), noise('other', 3000)]));
  await debugfs(disk, ROOT, [
    'cd etc',
    'rm hosts',
    `write ${folder.join('hosts')} hosts`,
    'rm binary',
    `write ${folder.join('binary')} binary`,
    'sif shadow mode 0100600',
    'sif shadow uid 1000',
    'rm motd',
    `write ${folder.join('binary')} added`,
    'cd /var',
    // Another inode with the same content; the same inode with another name; a directory with another name.
    'rm same',
    `write ${folder.join('root/var/same')} copy`,
    'ln large larger',
    'unlink large',
    'ln old new',
    'unlink old',
  ]);
  await debugfs(disk, DATA, [`write ${folder.join('hosts')} list`]);
  await writeAt(disk, SWAP + 1, noise('swapped', 8192));
}

async function writeAt(disk: string, at: number, bytes: Uint8Array): Promise<void> {
  await using file = await open(disk, 'r+');
  await file.write(bytes, 0, bytes.length, at * MiB);
}

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const disks = await makeDisks(folder);
const calve: CommandLine = commandLine(folder.join('store'));
await calve.ok('-q', 'import', disks[0], 'guest:1');
await calve.ok('-q', 'import', '--onto', 'guest:1', disks[1], 'guest:2');

const shape = (name: string) => shapes[name] as Parameters<typeof parse>[0];

/** What of a line does not depend on when the test ran. */
const timeless = (lines: string): string[] =>
  lines
    .split('\n')
    .filter((line) => !/^ *M .* \(time\)$/.test(line))
    .map((line) => line.replace(/, time\)$/, ')').replace(/ \(time\)$/, ''));

test('diff tells files that were added, modified, deleted and renamed, in every partition, and blocks of others', async () => {
  const ran = await calve.run(['diff', 'guest:1', 'guest:2']);
  assert.equal(ran.code, 0, report(ran));
  assert.deepEqual(timeless(ran.stdout.trimEnd()), [
    'A    2.9 KiB 1:/etc/added',
    'M    2.9 KiB 1:/etc/binary (content)',
    'M       19 B 1:/etc/hosts (content, was 24 B)',
    'D        6 B 1:/etc/motd',
    'M        7 B 1:/etc/shadow (mode 0644 -> 0600, owner 0:0 -> 1000:0)',
    'R    4.9 KiB 1:/var/same -> 1:/var/copy',
    'R      2 MiB 1:/var/large -> 1:/var/larger',
    'R          - 1:/var/old -> 1:/var/new/',
    'A       19 B 2:/list',
    'M      8 KiB partition 3 (swap) (blocks; its files cannot be read)',
  ]);
  assert.match(
    messagesOf(ran),
    /^\d+ files differ: 2 added \(.*\), \d modified \(.*\), 1 deleted \(6 B\), 3 renamed; 1 part of the disk without files differs\n$/,
  );
  const names = await calve.run(['diff', '--exit-code', 'guest:2', '-p', 'data', '--name-status']);
  assert.deepEqual([names.code, names.stdout, names.stderr], [1, 'A\t/list\n', '']);
});

test('diff prints JSON of a stable shape', async () => {
  const json = parse(shape('diff'), await calve.json('diff', '--no-renames', 'guest:2')) as {
    files: { path: string; kind: string; aspects: string[] }[];
  };
  const of = (wanted: string) => json.files.find(({ path }) => path === wanted);
  assert.deepEqual(
    [of('/etc/shadow')?.kind, of('/etc/shadow')?.aspects.slice(0, 2)],
    ['modified', ['mode', 'owner']],
  );
  assert.deepEqual(
    ['/var/old/a', '/var/new/a', '/var/large', '/var/larger'].map((path) => of(path)?.kind),
    ['deleted', 'added', 'deleted', 'added'],
  );
});

test('diff --content prints what patch takes, and of binary files that they differ', async () => {
  const patch = await calve.run(['diff', '--content', '/etc/hosts', 'guest:1', 'guest:2']);
  assert.equal(
    patch.stdout,
    '--- a/etc/hosts\n+++ b/etc/hosts\n@@ -1,5 +1,5 @@\n one\n two\n-three\n+3\n four\n-five\n+five\n\\ No newline at end of file\n',
  );
  await writeFile(folder.join('patched'), 'one\ntwo\nthree\nfour\nfive\n');
  await succeed('patch', ['-s', folder.join('patched')], { input: patch.stdout });
  assert.equal(await readFile(folder.join('patched'), 'utf8'), 'one\ntwo\n3\nfour\nfive');
  const gone = await calve.run(['diff', '--exit-code', '--content', 'etc/motd', 'guest:2']);
  assert.deepEqual([gone.code, gone.stdout], [1, '--- a/etc/motd\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-hello\n']);
  assert.match(
    await calve.ok('diff', '--content', '/etc/binary', 'guest:2'),
    /^Binary files a\/etc\/binary \(2.9 KiB\) and b\/etc\/binary \(2.9 KiB\) differ$/,
  );
  const store = await openStore(calve.store);
  await assert.rejects(store.versions.fileContents('guest:2', undefined, '/nothing', { most: 1 }), {
    code: 'not-found',
    message: /no such file on either side/,
  });
  assert.deepEqual(await Array.fromAsync(store.versions.diffFiles('guest:2', 'guest:2')), []);
});

test('log -- PATH has the versions in which what lies there changed', async () => {
  const store = await openStore(calve.store);
  const [newest, oldest] = (await Array.fromAsync(store.versions.log('guest:2'))).map(({ digest }) => digest);
  const changed = async (path: string, partition = 'root', limit?: number) =>
    (await Array.fromAsync(store.versions.log('guest:2', { path, partition, limit }))).map(
      ({ digest }) => digest,
    );
  assert.deepEqual(await changed('/etc/hosts'), [newest, oldest]);
  assert.deepEqual(await changed('/etc/shadow'), [newest, oldest]);
  assert.deepEqual(await changed('etc/motd', '1', 1), [newest]);
  assert.deepEqual(await changed('usr'), [oldest]);
  assert.deepEqual(await changed('/var'), [newest, oldest]);
  assert.deepEqual(await changed('/etc/added'), [newest]);
  assert.deepEqual(await changed('/etc/added', '2'), []);
  assert.deepEqual(await changed('/nothing'), []);
  const short = await calve.ok('log', '-q', '-p', 'root', '--', '/etc/added');
  assert.ok(newest?.startsWith(`sha256:${short}`), short);
});

test('status and rm list the files that are saved in no version, the largest first', async () => {
  await calve.ok('new', 'guest:1', 'work');
  const store = await openStore(calve.store);
  {
    await using env = await store.envs.openDisk('work', { writable: true });
    await using before = await openRawDisk(disks[0]);
    await using now = await openRawDisk(disks[1]);
    for await (const { offset, length } of differences(before, now)) {
      const bytes = Buffer.alloc(length);
      await now.read(bytes, offset);
      await env.write(bytes, offset);
    }
  }
  const lines = timeless(await calve.ok('status', 'work')).slice(2);
  assert.deepEqual(lines.slice(0, -1), [
    '4 files saved in no version, 5.9 KiB:',
    '  A    2.9 KiB 1:/etc/added',
    '  M    2.9 KiB 1:/etc/binary (content)',
    '  M       19 B 1:/etc/hosts (content, was 24 B)',
    '  A       19 B 2:/list',
    '  M      8 KiB partition 3 (swap) (blocks; its files cannot be read)',
  ]);
  assert.match(lines.at(-1) ?? '', /^2 added, \d modified, 1 deleted, 3 renamed in all: calve diff work$/);
  const json = parse(shape('status'), await calve.json('status', 'work')) as { files: { count: number } };
  assert.equal(json.files.count, 4);
  {
    await using _held = await store.envs.openDisk('work', { writable: true });
    await assert.rejects(store.envs.unsavedFiles('work'), { code: 'in-use' });
  }
  const removed = messagesOf(await calve.run(['rm', 'work'])).split('\n');
  assert.equal(removed[0], 'work: 4 files saved in no version, 5.9 KiB:');
  assert.match(removed.at(-2) ?? '', /^removed work: with .* that is not committed; to have it back/);
});

test('a file system that is broken keeps nobody from status and rm, and diff says what to do', async () => {
  await calve.ok('new', 'guest:1', 'broken');
  const store = await openStore(calve.store);
  {
    await using env = await store.envs.openDisk('broken', { writable: true });
    // The root directory's inode.
    await env.write(noise('broken', 4096), (await inodeTable()) * 1024);
  }
  const diff = await calve.refuses('diff', 'broken');
  assert.match(diff, /inode 2.*\nhint: /);
  assert.match(
    messagesOf(await calve.run(['rm', 'broken'])),
    /^broken: its files are not listed: .*inode 2.*\nremoved broken: with 64 KiB/,
  );
});

async function inodeTable(): Promise<number> {
  const told = await succeed('debugfs', ['-R', 'imap <2>', `${disks[0]}?offset=${ROOT * MiB}`]);
  const [, block = ''] = /located at block (\d+)/.exec(told) ?? [];
  const size = Number(
    (await succeed('debugfs', ['-R', 'stats -h', `${disks[0]}?offset=${ROOT * MiB}`])).match(
      /Block size:\s+(\d+)/,
    )?.[1],
  );
  return ROOT * 1024 + (Number(block) * size) / 1024;
}
