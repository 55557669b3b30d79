import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { checkFat, makeFatImage, mtools } from '../../test/support/fat-image.ts';
import { sourceOf } from '../../test/support/file-source.ts';
import { memoryImage } from '../../test/support/memory-image.ts';
import { withGuestImage } from '../../test/support/open-guest-image.ts';
import { run } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { noise } from '../../test/support/store-scene.ts';
import { LONG } from '../../test/support/suite.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { factsOfTree } from '../../test/support/tree-facts.ts';
import { MemoryDisk, openRawDisk, recordingDisk, replay } from '../disk/index.ts';
import { chooseVolume } from './choose-volume.ts';
import type { WriteFatOptions } from './fat/fat-writer.ts';
import { writeFat } from './fat/write-fat.ts';
import { listVolumes } from './list-volumes.ts';
import type { FileAttributes, TreeChange } from './tree-change.ts';

const MiB = 1 << 20;
const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const MTIME = 1_700_000_000n * 10n ** 9n;
const attributes: FileAttributes = { mode: 0o644, uid: 0, gid: 0, atime: MTIME, mtime: MTIME };

const file = (path: string, content: Buffer, more: Partial<FileAttributes> = {}): TreeChange => ({
  kind: 'file',
  path: Buffer.from(path),
  attributes: { ...attributes, ...more },
  source: sourceOf(content),
});
const directory = (path: string): TreeChange => ({ kind: 'directory', path: Buffer.from(path), attributes });
const remove = (path: string): TreeChange => ({ kind: 'remove', path: Buffer.from(path) });

async function write(
  image: string,
  changes: readonly TreeChange[],
  options?: WriteFatOptions,
): Promise<void> {
  await using disk = await openRawDisk(image, { writable: true });
  await writeFat(
    disk,
    (async function* () {
      yield* changes;
    })(),
    options,
  );
}

async function contents(image: string): Promise<Record<string, unknown>> {
  const facts = await withGuestImage(image, factsOfTree);
  return Object.fromEntries(Object.entries(facts).map(([path, { sha256, size }]) => [path, sha256 ?? size]));
}

/** The same of a folder with what mtools copied out of the image. */
async function contentsByMtools(image: string): Promise<Record<string, unknown>> {
  await using copied = await temporaryFolder();
  await mtools('mcopy', image, '-s', '-n', '::*', copied.path);
  const found: Record<string, unknown> = {};
  for (const path of await readdir(copied.path, { recursive: true })) {
    const full = copied.join(path);
    found[Buffer.from(path).toString('latin1')] = (await stat(full)).isDirectory()
      ? 0
      : hash('sha256', await readFile(full));
  }
  return found;
}

const LARGE = noise('large', 200_001);

const KINDS: readonly (readonly [name: string, size: number, options: readonly string[], long?: true])[] = [
  ['FAT12', 2 * MiB, ['-F', '12', '-s', '1']],
  ['FAT16', 16 * MiB, ['-F', '16', '-s', '2'], true],
  ['FAT32', 34 * MiB, ['-F', '32', '-s', '1']],
  ['FAT32, sectors of 4 KiB', 300 * MiB, ['-F', '32', '-S', '4096', '-s', '1'], true],
  ['FAT32, one FAT', 70 * MiB, ['-F', '32', '-s', '2', '-f', '1'], true],
];

for (const [name, size, options, long] of KINDS) {
  if (long && !LONG) continue;
  test(`what is written is sound to fsck.fat, and read back by mtools: ${name}`, async () => {
    const image = folder.join('image');
    await makeFatImage(image, size, options);
    await writeFile(folder.join('old'), noise('old', 3000));
    await mtools('mcopy', image, folder.join('old'), '::old.bin');
    await mtools('mcopy', image, folder.join('old'), '::A file to be removed');
    const many = Array.from({ length: 70 }, (_, index) =>
      file(`deep/Dir/file number ${String(index).padStart(4, '0')}`, Buffer.from(String(index))),
    );
    const progress: number[] = [];
    await write(
      image,
      [
        remove('A file to be removed'),
        directory('deep'),
        directory('deep/Dir'),
        ...many.slice(0, 50),
        file('OLD.BIN', noise('new', 4000)),
        file('Large ☃ 🦦.bin', LARGE),
        file('EMPTY', Buffer.alloc(0)),
        file(`${'n'.repeat(251)}.bin`, noise('n', 600)),
        file('read-only.txt', noise('ro', 10), { mode: 0o444 }),
        ...many.slice(50),
        remove('deep/Dir/file number 0007'),
        directory('deep'),
        file('file.with.many.dots+and;more', noise('dots', 5)),
      ],
      { onProgress: (bytes) => progress.push(bytes) },
    );
    await checkFat(image);
    const ours = await contents(image);
    assert.equal(Object.keys(ours).length, 2 + 69 + 6);
    assert.equal(ours['old.bin'], hash('sha256', noise('new', 4000)));
    // mtools knows no character above the first 65,536.
    const plain = ({ ...all }: Record<string, unknown>) => {
      for (const path of Object.keys(all)) if (path.startsWith('Large')) delete all[path];
      return all;
    };
    assert.deepEqual(plain(await contentsByMtools(image)), plain(ours));
    assert.equal(progress.at(-1), 4000 + 200_001 + 600 + 10 + 5 + 130);
    const facts = await withGuestImage(image, factsOfTree);
    assert.equal(facts['read-only.txt']?.['mode'], 0o555);
    assert.equal(facts['EMPTY']?.['mtime'], MTIME);
    assert.equal(facts['EMPTY']?.['crtime'], MTIME);
  });
}

test('holes are zeros, whatever the clusters held before', async () => {
  const image = folder.join('image');
  await makeFatImage(image, 4 * MiB, ['-F', '12', '-s', '8']);
  await write(image, [file('was', Buffer.alloc(3 * MiB, 0xaa)), remove('was')]);
  const content = Buffer.alloc(2 * MiB + 77, 0xcc).fill(0, 5000, 1_500_000);
  const sparse: TreeChange = {
    kind: 'file',
    path: Buffer.from('sparse'),
    attributes,
    source: sourceOf(content, { from: 5000, to: 1_500_000 }),
  };
  await write(image, [sparse]);
  await checkFat(image);
  await withGuestImage(image, async (tree) => {
    const into = Buffer.alloc(content.length);
    await tree.read(await tree.lookup('sparse'), 0, into);
    assert.ok(into.equals(content));
  });
});

test('what FAT cannot hold is refused before anything is written of it', async () => {
  const image = folder.join('image');
  await makeFatImage(image, 2 * MiB, ['-F', '12']);
  await write(image, [directory('dir'), file('file', Buffer.from('x'))]);
  const before = await contents(image);
  const symlink: TreeChange = {
    kind: 'symlink',
    path: Buffer.from('s'),
    attributes,
    target: Buffer.from('t'),
  };
  await refused(write(image, [symlink]), 'unsupported', /^s: a FAT file system has no symlinks/);
  for (const name of ['a:b', 'a\\b', 'tab\t', 'dot.', 'space ', '..', 'n'.repeat(256), 'x?', '"', 'a|b']) {
    await refused(
      write(image, [file(`dir/${name}`, Buffer.alloc(1))]),
      'unsupported',
      /cannot hold its name/,
    );
    await refused(write(image, [directory(name)]), 'unsupported', /cannot hold its name/);
  }
  const odd = { ...file('', Buffer.alloc(1)), path: Buffer.from([0x6e, 0xff]) };
  await refused(write(image, [odd]), 'unsupported', /it is no UTF-8/);
  const huge: TreeChange = {
    kind: 'file',
    path: Buffer.from('huge'),
    attributes,
    source: { ...sourceOf(Buffer.alloc(0)), size: 2 ** 32 },
  };
  await refused(
    write(image, [huge]),
    'unsupported',
    /^huge: 4294967296 bytes; a file of FAT has at most 4294967295/,
  );
  await refused(
    write(image, [file('dir', Buffer.alloc(1))]),
    'exists',
    /expected a file or nothing, got a directory/,
  );
  await refused(write(image, [directory('FILE')]), 'exists', /expected a directory or nothing, got a file/);
  await refused(write(image, [remove('dir')]), 'exists', /dir is a directory/);
  await refused(write(image, [remove('nothing')]), 'not-found');
  await refused(write(image, [file('no/where', Buffer.alloc(1))]), 'not-found', /^no: expected a directory/);
  const twice = [file('Same', Buffer.from('1')), file('sAME', Buffer.from('2'))];
  await refused(write(image, twice), 'exists', /^sAME: Same was written too/);
  await write(image, [file('a long name.txt', Buffer.from('1'))]);
  await refused(
    write(image, [file('ALONGN~1.TXT', Buffer.from('2'))]),
    'exists',
    /short name of a long name.txt/,
  );
  await write(image, [remove('Same'), remove('a long name.txt')]);
  assert.deepEqual(await contents(image), before);
});

test('what stands behind the end of a directory stays behind it', async () => {
  const image = folder.join('image');
  await makeFatImage(image, 1 * MiB, ['-F', '12', '-s', '1']);
  await write(image, [file('A', Buffer.from('a')), file('B', Buffer.alloc(0)), file('C', Buffer.alloc(0))]);
  const bytes = await readFile(image);
  const at = bytes.indexOf('A          ');
  bytes.writeUInt8(0, at);
  await writeFile(image, bytes);
  await write(image, [file('NEW', Buffer.from('new'))]);
  assert.deepEqual(Object.keys(await contents(image)), ['NEW']);
});

test('a full file system says so, and no name leads to what was not written', async () => {
  const image = folder.join('image');
  await makeFatImage(image, 1 * MiB, ['-F', '12', '-s', '1', '-r', '16']);
  const before = await contents(image);
  await refused(
    write(image, [file('f', Buffer.alloc(2 * MiB))]),
    'no-space',
    /^f: the FAT file system is full: expected 2097152 free bytes/,
  );
  assert.deepEqual(await contents(image), before);
  const files = Array.from({ length: 20 }, (_, index) => file(`F${index}`, Buffer.from('x')));
  await refused(
    write(image, files),
    'no-space',
    /^F16: the root directory of this FAT12 is full: it has room for 16/,
  );
  assert.equal(Object.keys(await contents(image)).length, 16);
  await makeFatImage(image, 1 * MiB, ['-F', '12', '-s', '1']);
  const free = await freeBytes(image);
  await makeFatImage(image, 1 * MiB, ['-F', '12', '-s', '1']);
  await write(image, [file('all', Buffer.alloc(free, 0x61))]);
  await checkFat(image);
  await refused(write(image, [file('more', Buffer.from('x'))]), 'no-space', /got 0$/);
  // The refused one left the mark that nothing was shut down: it stays, and hinders nobody.
  await write(image, [file('all', Buffer.alloc(0)), file('again', Buffer.alloc(free, 0x62))]);
  const { again } = await contents(image);
  assert.equal(again, hash('sha256', Buffer.alloc(free, 0x62)));
});

async function freeBytes(image: string): Promise<number> {
  const error = await refused(write(image, [file('probe', Buffer.alloc(4 * MiB))]), 'no-space');
  return Number(error.data['free']);
}

test('a step that was cut off leaves lost clusters at worst, and each file as it was or as it is to be', async () => {
  const image = folder.join('image');
  await makeFatImage(image, 1 * MiB, ['-F', '12', '-s', '1']);
  const first = Array.from({ length: 14 }, (_, index) => file(`dir/${index}`, Buffer.from(String(index))));
  await write(image, [
    directory('dir'),
    file('dir/kept', noise('old', 3000)),
    file('gone', Buffer.alloc(700)),
    ...first,
  ]);
  const bytes = await readFile(image);
  const disk = recordingDisk(await memoryImage(bytes));
  await writeFat(
    disk,
    (async function* () {
      yield file('dir/kept', noise('new', 2500));
      yield remove('gone');
      yield directory('another directory');
      yield file('another directory/a long name for a file', noise('more', 1200));
      yield file('dir/a name that makes its directory grow', Buffer.from('grown'));
    })(),
  );
  const olds = [hash('sha256', noise('old', 3000)), hash('sha256', noise('new', 2500))];
  const seen = new Set<string>();
  for (const [index, operation] of disk.log.operations.entries()) {
    await using left = await memoryImage(bytes);
    await replay(disk.log, operation.ended + 1, new Set(), left);
    await using tree = await (await chooseVolume(await listVolumes(left))).open();
    const facts = await factsOfTree(tree);
    assert.ok(olds.includes(String(facts['dir/kept']?.['sha256'])));
    for (const [path, { sha256 }] of Object.entries(facts)) {
      if (path.endsWith('a long name for a file')) assert.equal(sha256, hash('sha256', noise('more', 1200)));
      if (path.endsWith('grow')) assert.equal(sha256, hash('sha256', Buffer.from('grown')));
      assert.doesNotMatch(path, /~/);
    }
    seen.add(Object.keys(facts).join());
    if (index % 5 !== 0 && !LONG) continue;
    const whole = Buffer.alloc(bytes.length);
    await left.read(whole, 0);
    await writeFile(image, whole);
    const { stdout } = await run('fsck.fat', ['-n', image]);
    const harmless =
      /^(fsck\.fat .*|.*[Dd]irty bit.*|Leaving filesystem unchanged\.|Reclaimed .*|.*: \d+ files, .*|Orphaned long file name part .*|FATs differ but appear to be intact\..*|.*first FAT.*|\s*Auto-deleting\.|\d+\).*|\[.*|)$/;
    for (const line of stdout.split('\n')) assert.match(line, harmless, stdout);
  }
  assert.ok(seen.size >= 5, `${seen.size} states`);
});

test('a file system of 2 TiB opens at once', async () => {
  await using disk = new MemoryDisk(2 ** 41);
  await using small = await open(folder.join('image'), 'w+');
  await small.truncate(300 * MiB);
  await makeFatImage(folder.join('image'), 300 * MiB, ['-F', '32']);
  const boot = Buffer.alloc(512);
  await small.read(boot, 0, 512, 0);
  boot.writeUInt8(64, 13);
  boot.writeUInt32LE(2 ** 32 - 1, 32);
  boot.writeUInt32LE(524_288, 36);
  await disk.write(boot, 0);
  const end = Buffer.from('f8ffff0fffffff0ffeffff0f', 'hex');
  const fatOffset = boot.readUInt16LE(14) * 512;
  for (const fat of [0, 1]) await disk.write(end, fatOffset + fat * 524_288 * 512);
  const before = process.cpuUsage();
  await writeFat(
    disk,
    (async function* () {
      yield file('A', Buffer.alloc(100_000, 0x41));
    })(),
  );
  await using tree = await (await chooseVolume(await listVolumes(disk))).open();
  const inode = await tree.lookup('a');
  assert.equal(inode.size, 100_000);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 500_000, `${user + system} µs`);
});
