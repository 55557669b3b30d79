import assert from 'node:assert/strict';
import { mkdir, open, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { parse } from 'valibot';
import { openStore } from '../../src/store/index.ts';
import { type CommandLine, commandLine } from '../support/calve.ts';
import { makeExtImage } from '../support/ext-image.ts';
import { mtools } from '../support/fat-image.ts';
import { report, run, succeed } from '../support/programs.ts';
import { noise } from '../support/store-scene.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { shapes } from './shapes.ts';
import { onTerminal } from './terminal.ts';

const MiB = 1 << 20;
const ODD = Buffer.from('odd\n\xe9 name', 'latin1');
const CONTENT = noise('content', 3 * MiB + 5);

/** A store with the version `guest:1` of a GPT disk: FAT, a root and data. */
async function guestStore(folder: TemporaryFolder): Promise<CommandLine> {
  const root = folder.join('root');
  for (const name of ['etc', 'usr', 'home/ada']) await mkdir(`${root}/${name}`, { recursive: true });
  await writeFile(`${root}/etc/hostname`, 'otter\n');
  await symlink('/etc/hostname', `${root}/home/ada/name`);
  await symlink('../../../../../../etc', `${root}/home/ada/out`);
  await writeFile(`${root}/home/ada/large`, CONTENT);
  await writeFile(Buffer.concat([Buffer.from(`${root}/home/ada/`), ODD]), 'odd');
  await mkdir(folder.join('data'));
  await writeFile(folder.join('data/notes'), 'data\n');
  await makeExtImage(folder.join('2'), 12 * MiB, ['-t', 'ext4', '-L', 'root', '-d', root]);
  await makeExtImage(folder.join('3'), 4 * MiB, ['-t', 'ext2', '-L', 'data', '-d', folder.join('data')]);
  await writeFile(folder.join('1'), '');
  await truncate(folder.join('1'), 4 * MiB);
  await succeed('mkfs.fat', ['-n', 'ESP', folder.join('1')]);
  await mtools('mmd', folder.join('1'), '::EFI');
  await mtools('mcopy', folder.join('1'), `${root}/etc/hostname`, '::EFI/A loader.efi');
  const disk = folder.join('disk.raw');
  await writeFile(disk, '');
  await truncate(disk, 24 * MiB);
  await succeed('sfdisk', ['-q', disk], { input: 'label: gpt\nsize=4M, type=U\nsize=12M\nsize=4M\n' });
  {
    await using file = await open(disk, 'r+');
    for (const [number, at] of [
      [1, 1],
      [2, 5],
      [3, 17],
    ] as const) {
      const bytes = await readFile(folder.join(String(number)));
      await file.write(bytes, 0, bytes.length, at * MiB);
    }
  }
  const calve = commandLine(folder.join('store'));
  await calve.ok('-q', 'import', disk, 'guest:1');
  return calve;
}

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const calve = await guestStore(folder);

test('files and cat look into a version and an environment', async () => {
  assert.equal(await calve.ok('files', 'guest:1'), 'etc\nhome\nlost+found\nusr');
  assert.equal(await calve.ok('cat', 'guest:1:/home/ada/out/../etc/hostname'), 'otter');
  assert.equal(await calve.ok('cat', '-p', 'data', 'guest:1:/notes'), 'data');
  assert.match(
    await calve.ok('files', '-lR', '-p', 'ESP', 'guest:1:/efi'),
    /^-rwxr-xr-x {3}1 +0 +0 +6 \S+Z A loader\.efi$/,
  );
  assert.equal(await calve.ok('cat', '-p', '1', 'guest:1:/EFI/a LOADER.efi'), 'otter');
  await calve.ok('new', 'guest:1', 'work');
  const printed = await run(
    '/bin/sh',
    [
      '-c',
      `'${process.execPath}' src/cli/main.ts cat work:/home/ada/large | cmp - '${folder.join('root/home/ada/large')}'`,
    ],
    { env: { CALVE_STORE: calve.store } },
  );
  assert.equal(printed.code, 0, report(printed));
  const long = await calve.ok('files', '-l', 'work:/home/ada');
  assert.match(long, /^lrwxrwxrwx {3}1 +0 +0 +13 \S+Z name -> \/etc\/hostname$/m);
  assert.match(long, new RegExp(`^-rw-r--r-- {3}1 +0 +0 +${CONTENT.length} \\S+Z large$`, 'm'));
});

test('names of any bytes are escaped on a terminal, whole in a pipe, and lossless as JSON', async () => {
  const shown = await onTerminal(calve, ['files', 'guest:1:/home/ada']);
  assert.match(shown.stdout, /^odd\\n\\351 name\r$/m);
  const piped = await run(
    '/bin/sh',
    ['-c', `'${process.execPath}' src/cli/main.ts files guest:1:/home/ada | od -An -tx1 | tr -d ' \\n'`],
    { env: { CALVE_STORE: calve.store } },
  );
  assert.ok(piped.stdout.includes(`0a${ODD.toString('hex')}0a`), report(piped));
  const json = parse(
    shapes['files'] as Parameters<typeof parse>[0],
    await calve.json('files', '-R', 'guest:1:/home'),
  ) as {
    partition: number;
    files: { path: string; pathBase64?: string; target: string | null }[];
  };
  assert.equal(json.partition, 2);
  const odd = json.files.find((file) => file.pathBase64 !== undefined);
  assert.equal(odd?.path, 'ada/odd\n\ufffd name');
  assert.deepEqual(Buffer.from(odd?.pathBase64 ?? '', 'base64'), Buffer.concat([Buffer.from('ada/'), ODD]));
  assert.equal(json.files.find(({ path }) => path === 'ada/name')?.target, '/etc/hostname');
});

test('what cannot be shown is refused with what to do', async () => {
  const says = async (code: number, said: RegExp, ...words: string[]) => {
    const ran = await calve.run(words);
    assert.equal(ran.code, code, report(ran));
    assert.match(ran.stderr, said);
    assert.equal(ran.stdout, '');
  };
  await says(
    1,
    /^calve: \/etc\/hostname\/x: a part of it is no directory/,
    'files',
    'guest:1:/etc/hostname/x',
  );
  await says(2, /is no file but a directory\nhint: calve files guest:1:\/etc\n/, 'cat', 'guest:1:/etc');
  await says(
    1,
    /no partition is 9: the disk has partition 1 \(fat, "ESP"\), partition 2 \(ext4, "root"\)/,
    'files',
    '-p',
    '9',
    'guest:1',
  );
  const store = await openStore(calve.store);
  await using _held = await store.envs.openDisk('work', { writable: true });
  await says(1, /work is in use/, 'files', 'work');
});
