import assert from 'node:assert/strict';
import {
  link,
  lutimes,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { after, test } from 'node:test';
import { type CommandLine, commandLine, MAIN } from '../support/calve.ts';
import { makeExtImage } from '../support/ext-image.ts';
import { report, run, succeed } from '../support/programs.ts';
import { noise } from '../support/store-scene.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { factsOfFolder, type TreeFacts } from '../support/tree-facts.ts';
import { onTerminal } from './terminal.ts';

const MiB = 1 << 20;
const ESP = 1 * MiB;
const ROOT = 17 * MiB;
const ROOT_SIZE = 48 * MiB;

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const calve = await guestStore(folder);

/** A store with the version `guest:1` of a GPT disk, made by sgdisk: a loader's FAT, and a root of ext4. */
async function guestStore(folder: TemporaryFolder): Promise<CommandLine> {
  await mkdir(folder.join('root/etc'), { recursive: true });
  await mkdir(folder.join('root/usr'));
  await writeFile(folder.join('root/etc/hostname'), 'otter\n');
  await makeExtImage(folder.join('2'), ROOT_SIZE, ['-t', 'ext4', '-L', 'root', '-d', folder.join('root')]);
  await writeFile(folder.join('1'), '');
  await truncate(folder.join('1'), ROOT - ESP);
  await succeed('mkfs.fat', ['-n', 'ESP', folder.join('1')]);
  const disk = folder.join('disk.raw');
  await writeFile(disk, '');
  await truncate(disk, ROOT + ROOT_SIZE + MiB);
  await succeed('sgdisk', ['-n', '1:1M:+16M', '-t', '1:ef00', '-n', '2:17M:+48M', disk]);
  await using file = await open(disk, 'r+');
  await file.write(await readFile(folder.join('1')), 0, ROOT - ESP, ESP);
  await file.write(await readFile(folder.join('2')), 0, ROOT_SIZE, ROOT);
  const calve = commandLine(folder.join('store'));
  await calve.ok('-q', 'import', disk, 'guest:1');
  return calve;
}

/** What e2fsck and fsck.fat say of the two file systems of an environment. */
async function assertSound(name: string): Promise<void> {
  const raw = folder.join(`${name}.raw`);
  await calve.ok('export', name, raw);
  const bytes = await readFile(raw);
  await writeFile(folder.join('esp'), bytes.subarray(ESP, ROOT));
  await writeFile(folder.join('ext'), bytes.subarray(ROOT, ROOT + ROOT_SIZE));
  await succeed('e2fsck', ['-fn', folder.join('ext')]);
  await succeed('fsck.fat', ['-n', folder.join('esp')]);
}

/** A tree with all that a tree may have. */
async function oddTree(path: string): Promise<void> {
  await mkdir(`${path}/sub/deep`, { recursive: true });
  await mkdir(`${path}/empty`, { mode: 0o1700 });
  const names = [
    'plain',
    ' a "quoted"  name\\',
    '-w',
    'new\nline',
    '\xff\xfe',
    `${'n'.repeat(255)}`,
    'sub/deep/x',
  ];
  for (const [at, name] of names.entries()) {
    await writeFile(
      Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name, 'latin1')]),
      noise(name, 100 + at * 50_000),
    );
  }
  await writeFile(`${path}/set`, 'user id', { mode: 0o4755 });
  await succeed('setfattr', ['-n', 'user.note', '-v', 'value', `${path}/plain`]);
  await symlink('/etc/passwd', `${path}/absolute`);
  await symlink(`${'../'.repeat(30)}etc/${'long'.repeat(30)}`, `${path}/sub/relative`);
  await writeFile(`${path}/sparse`, '');
  await truncate(`${path}/sparse`, 20 * MiB);
  {
    await using file = await open(`${path}/sparse`, 'r+');
    await file.write('in the middle', 10 * MiB);
  }
  await lutimes(`${path}/sub/relative`, 1_000_000_000.125, 1_111_111_111.5);
  await succeed('/bin/chown', ['1234:70000', `${path}/plain`, `${path}/sub`]);
  for (const name of ['plain-again', 'sub/deep/plain\nagain']) await link(`${path}/plain`, `${path}/${name}`);
  await succeed('setfacl', ['-m', 'u:1000:r--,g:12:-wx', `${path}/set`, `${path}/plain`]);
  await succeed('setfacl', ['-m', 'u:70000:rwx,d:u:1000:r-x', `${path}/empty`]);
  await setAttributes(`${path}/set`, {
    'security.capability': CAPABILITY,
    'trusted.of root': `"in quotes"`,
    'user.long': 'v'.repeat(600),
    'user.none': '',
  });
  await setAttributes(`${path}/sub`, { 'user.of a folder': 'value' });
}

/** cap_net_raw, permitted. */
const CAPABILITY = '0x0000000200200000000000000000000000000000';

async function setAttributes(path: string, attributes: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(attributes)) {
    await succeed('setfattr', ['-n', name, ...(value === '' ? [] : ['-v', value]), path]);
  }
}

/** All attributes, in the form of getfattr. */
const attributesOf = (path: string): Promise<string> =>
  succeed('getfattr', ['-d', '-m', '-', '-e', 'hex', '--absolute-names', path]);

/** What counts of files that were copied. */
function copied(facts: TreeFacts): unknown {
  const kept = Object.entries(facts).map(([path, fact]) => {
    const { type, mode, uid, gid, size, mtime, target, sha256, attributes, acl } = fact;
    const links = type === 'directory' ? null : fact['links'];
    const told = [
      type,
      mode,
      uid,
      gid,
      size,
      String(mtime),
      target,
      sha256,
      links,
      JSON.stringify(attributes),
      acl,
    ];
    return [path, told.join(' ')] as const;
  });
  return Object.fromEntries(kept.sort());
}

test('a tree comes back from a guest as it went in', async () => {
  const tree = folder.join('tree');
  await oddTree(tree);
  await calve.ok('new', 'guest:1', 'work');
  assert.match(
    (await calve.run(['cp', tree, 'work:/etc'])).stderr,
    /^copied 11 files, 2 symlinks, 4 folders/m,
  );
  await calve.ok('cp', 'work:/etc/tree', folder.join('back'));
  const crtime = { crtime: false };
  const [there, back] = [await factsOfFolder(tree, crtime), await factsOfFolder(folder.join('back'), crtime)];
  assert.deepEqual(copied(back), copied(there));
  assert.ok(Object.keys(there).length >= 16);
  for (const name of ['set', 'empty', 'sub']) {
    const told = (await attributesOf(`${tree}/${name}`)).replace(tree, folder.join('back'));
    assert.equal(await attributesOf(folder.join('back', name)), told);
  }
  assert.equal((await stat(folder.join('back/plain'))).nlink, 3);
  const { size, blocks } = await stat(folder.join('back/sparse'));
  assert.equal(size, 20 * MiB);
  assert.ok(blocks * 512 < MiB, 'holes stay holes');
  assert.equal(await calve.ok('cat', 'work:/etc/hostname'), 'otter', 'what was there is there');
  await assertSound('work');
});

test('files are replaced, in both file systems, and the guest sees no difference but that', async () => {
  await calve.ok('new', 'guest:1', 'both');
  await writeFile(folder.join('hostname'), 'a longer name than before\n');
  await calve.ok('cp', folder.join('hostname'), 'both:/etc/hostname');
  await calve.ok('cp', '-p', 'ESP', folder.join('hostname'), 'both:/Loader entry.conf');
  assert.equal(await calve.ok('cat', 'both:/etc/hostname'), 'a longer name than before');
  assert.equal(await calve.ok('cat', '-p', '1', 'both:/loader ENTRY.conf'), 'a longer name than before');
  const changes = await calve.ok('diff', '--name-status', 'guest:1', 'both');
  assert.deepEqual(changes.split('\n').sort(), [
    'A\t1:/Loader entry.conf',
    'M\t2:/etc',
    'M\t2:/etc/hostname',
  ]);
  await assertSound('both');
});

test('a file that is replaced keeps its attributes, but not the rights of a program', async () => {
  await calve.ok('new', 'guest:1', 'labelled');
  const from = folder.join('labelled');
  await writeFile(from, 'first');
  await setAttributes(from, { 'user.label': 'first', 'security.capability': CAPABILITY });
  await calve.ok('cp', from, 'labelled:/etc');
  await writeFile(from, 'second');
  await setAttributes(from, { 'user.label': 'second', 'user.large': 'v'.repeat(1500) });
  await calve.ok('cp', from, 'labelled:/etc');
  const told = await calve.run(['cp', from, 'labelled:/etc/new']);
  assert.match(told.stderr, /1 attribute could not be kept where labelled:\/etc\/new lies/);
  await calve.ok('cp', 'labelled:/etc/labelled', folder.join('replaced'));
  assert.equal(await readFile(folder.join('replaced'), 'utf8'), 'second');
  const attributes = await attributesOf(folder.join('replaced'));
  assert.match(attributes, new RegExp(`user.label=0x${Buffer.from('first').toString('hex')}\n`));
  assert.doesNotMatch(attributes, /security|large/);
  await assertSound('labelled');
});

test('what cannot be written leaves the environment as it was', async () => {
  await calve.ok('new', 'guest:1', 'full');
  const overlay = folder.join('store/envs/full/disk.qcow2');
  const before = await readFile(overlay);
  await writeFile(folder.join('too large'), noise('large', ROOT_SIZE));
  const refused = await calve.run(['cp', folder.join('hostname'), folder.join('too large'), 'full:/etc']);
  assert.equal(refused.code, 1, report(refused));
  assert.match(refused.stderr, /no room|no space/i);
  for (const [from, to, words] of [
    [folder.join('hostname'), 'guest:1:/etc', /is a version, which nothing changes/],
    [folder.join('hostname'), 'full:/nowhere/at/all', /nowhere/],
    [folder.join('missing'), 'full:/etc', /missing/],
    [folder.join('root'), 'full:/etc/hostname', /hostname/],
    ['full:/etc', 'work:/etc', /at once/],
    ['full:/missing', folder.join('out'), /missing/],
    ['full:/etc', folder.join('no/such/folder'), /no\/such/],
  ] as const) {
    const ran = await calve.run(['cp', from, to]);
    assert.notEqual(ran.code, 0, `${from} ${to}`);
    assert.match(ran.stderr, words);
  }
  assert.ok((await readFile(overlay)).equals(before));
  assert.deepEqual(await readdir(folder.join('store/tmp')), []);
});

test('without e2fsprogs the error names the package, nothing is changed, and FAT is written all the same', async () => {
  await calve.ok('new', 'guest:1', 'bare');
  const overlay = folder.join('store/envs/bare/disk.qcow2');
  const before = await readFile(overlay);
  // In a mount namespace of its own nothing lies where Debian keeps it.
  const bare = (...args: string[]) =>
    run(
      'unshare',
      [
        '-m',
        '/bin/sh',
        '-ec',
        'mount -t tmpfs none /usr/sbin; exec "$@"',
        'sh',
        process.execPath,
        MAIN,
        ...args,
      ],
      { env: { CALVE_STORE: calve.store } },
    );
  const refused = await bare('cp', folder.join('hostname'), 'bare:/etc');
  assert.equal(refused.code, 1, report(refused));
  assert.match(
    refused.stderr,
    /takes debugfs of e2fsprogs, which is not installed\nhint: apt-get install e2fsprogs/,
  );
  assert.ok((await readFile(overlay)).equals(before));
  const written = await bare('cp', '--partition', '1', folder.join('hostname'), 'bare:/');
  assert.equal(written.code, 0, report(written));
  assert.equal(await calve.ok('cat', '--partition', '1', 'bare:/hostname'), 'a longer name than before');
});

test('nothing of a guest leads outside of where it is copied to', async () => {
  const outside = folder.join('outside');
  await mkdir(outside);
  await writeFile(`${outside}/file`, 'as it was');
  // One guest leaves a symlink that the other one's folder and file would be written through.
  for (const [name, make] of [
    [
      'first',
      async (tree: string) => {
        await symlink(outside, `${tree}/d`);
        await symlink(`${outside}/file`, `${tree}/f`);
      },
    ],
    [
      'second',
      async (tree: string) => {
        await mkdir(`${tree}/d`);
        await writeFile(`${tree}/d/planted`, 'planted');
        await writeFile(`${tree}/f`, 'written through');
      },
    ],
  ] as const) {
    const tree = folder.join(`${name}/t`);
    await mkdir(tree, { recursive: true });
    await make(tree);
    await calve.ok('new', 'guest:1', name);
    await calve.ok('cp', tree, `${name}:/`);
  }
  const destination = folder.join('destination');
  await mkdir(destination);
  await calve.ok('cp', 'first:/t', destination);
  const ran = await calve.run(['cp', 'second:/t', destination]);
  assert.deepEqual(await readdir(outside), ['file'], report(ran));
  assert.equal(await readFile(`${outside}/file`, 'utf8'), 'as it was');
});

test('rm copies out what is to be kept, and removes nothing unless it could', async () => {
  await calve.ok('new', 'guest:1', 'gone');
  const kept = folder.join('kept');
  const failed = await calve.run(['rm', 'gone', '--keep', `/etc:${folder.join('no/such/place')}`]);
  assert.equal(failed.code, 1);
  assert.match(await calve.ok('-q', 'ls'), /^gone$/m);
  assert.equal((await calve.run(['rm', 'gone', '--keep', 'etc'])).code, 2);
  assert.equal((await calve.run(['rm', 'gone', 'full', '--keep', `/etc:${kept}`])).code, 2);
  await calve.ok('rm', 'gone', '--keep', `/etc:${kept}`, '--keep', `/etc/hostname:${folder.join('name')}`);
  assert.equal(await readFile(`${kept}/hostname`, 'utf8'), 'otter\n');
  assert.equal(await readFile(folder.join('name'), 'utf8'), 'otter\n');
  assert.doesNotMatch(await calve.ok('-q', 'ls'), /^gone$/m);
});

test('on a terminal rm commits, copies out, moves to the trash or keeps, as it is told', async () => {
  await calve.ok('tag', 'guest:1', 'asked:1');
  const file = folder.join('a file');
  await writeFile(file, 'unsaved');
  for (const name of ['committed', 'moved-on', 'copied', 'thrown']) {
    await calve.ok('new', 'asked:1', name);
    await calve.ok('cp', file, `${name}:/etc/${name}`);
  }
  const rm = async (name: string, ...answers: string[]): Promise<string> => {
    const ran = await onTerminal(calve, ['rm', name], { answers: answers.map((answer) => `${answer}\n`) });
    assert.equal(ran.code, 0, report(ran));
    return ran.stdout;
  };
  assert.match(
    await rm('thrown', ''),
    /1 file saved in no version[\s\S]*\/etc\/thrown[\s\S]*kept thrown\r\n$/,
  );
  assert.match(await rm('thrown', 'o', 'etc', ''), /expected a path in the guest[\s\S]*kept thrown\r\n$/);
  assert.match(
    await rm('committed', 'c', 'a message'),
    /committed committed: asked:1 [0-9a-f]{12}\r\nremoved committed: nothing was unsaved/,
  );
  assert.match(await calve.ok('log', 'asked:1'), /a message/);
  assert.match(await rm('moved-on', 'c', '', ''), /kept moved-on/);
  assert.match(await rm('moved-on', 'c', '', 'asked:2'), /committed moved-on: asked:2 /);
  assert.match(await calve.ok('files', 'asked:2:/etc'), /moved-on/);
  const copied = folder.join('asked');
  assert.match(
    await rm('copied', 'o', `/etc:${copied}`, `/etc/copied:${copied}/again`, ''),
    /copied 2 files[\s\S]*copied 1 file[\s\S]*removed copied: with/,
  );
  assert.deepEqual((await readdir(copied)).sort(), ['again', 'copied', 'hostname']);
  assert.match(await rm('thrown', 't'), /removed thrown: with .*calve trash restore thrown@/);
  assert.doesNotMatch(await calve.ok('-q', 'ls'), /committed|moved-on|copied|thrown/);
});
