import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { cp, mkdir, open, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { makeFatImage, mtools } from '../../test/support/fat-image.ts';
import { withGuestImage } from '../../test/support/open-guest-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { noise } from '../../test/support/store-scene.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { factsOfFolder, factsOfTree, type TreeFacts } from '../../test/support/tree-facts.ts';
import { openRawDisk } from '../disk/index.ts';
import { listVolumes } from './list-volumes.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const plain = folder.join('plain');
const posix = folder.join('posix');
const image = folder.join('image.iso');

/** What every kind of tree can hold. */
await mkdir(`${plain}/SUB/BELOW`, { recursive: true });
for (const [path, length] of [
  ['README.TXT', 5],
  ['A.BIN', 4096],
  ['B.BIN', 1001],
  ['EMPTY', 0],
  ['SUB/LOADER.EFI', 100_001],
  ['SUB/BELOW/X', 2048],
] as const) {
  await writeFile(`${plain}/${path}`, noise(path, length));
  await utimes(`${plain}/${path}`, 1_700_000_000, 1_700_000_000 + length);
}
for (let index = 0; index < 80; index += 1) await writeFile(`${plain}/SUB/F${index}`, String(index));

/** What takes Rock Ridge. */
await cp(plain, posix, { recursive: true, preserveTimestamps: true });
await mkdir(`${posix}/1/2/3/4/5/6/7/8/9/10`, { recursive: true });
await writeFile(`${posix}/1/2/3/4/5/6/7/8/9/10/deep`, 'deep');
await writeFile(`${posix}/${'long'.repeat(60)}`, 'long name');
await writeFile(`${posix}/Ünïcode ☃ 🦦`, 'unicode');
await writeFile(Buffer.concat([Buffer.from(`${posix}/`), Buffer.from([0x6e, 0xff, 0x20, 0xe9])]), 'bytes');
await symlink('../SUB/./BELOW/../X', `${posix}/SUB/link`);
await symlink(`/${'part/'.repeat(30)}end`, `${posix}/far`);
await succeed(
  '/bin/bash',
  [
    '-ec',
    'mknod character c 5 1; mknod fifo p; chown 70000:80000 README.TXT; chmod 6754 README.TXT; ln A.BIN SUB/HARD',
  ],
  { cwd: posix },
);

type Brief = Record<string, Record<string, unknown>>;

/** What an image keeps of these facts: whole seconds, no numbers of inodes. */
function brief(facts: TreeFacts, fields: readonly string[]): Brief {
  return Object.fromEntries(
    Object.entries(facts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, fact]) => [path, Object.fromEntries(fields.map((field) => [field, kept(fact[field])]))]),
  );
}

const kept = (value: unknown): unknown => (typeof value === 'bigint' ? value - (value % 10n ** 9n) : value);
const POSIX = ['type', 'mode', 'uid', 'gid', 'size', 'mtime', 'device', 'target', 'sha256'];

for (const program of ['genisoimage', 'xorriso'] as const) {
  test(`a tree with Rock Ridge reads as it was: ${program}`, async () => {
    // genisoimage writes what nobody can read where a symlink takes several fields.
    if (program === 'xorriso') await symlink(`/${'part/'.repeat(80)}${'t'.repeat(200)}`, `${posix}/farther`);
    const own = program === 'xorriso' ? ['-as', 'mkisofs', '-R'] : ['-quiet', '-R'];
    await succeed(program, [...own, '-o', image, posix]);
    const facts = await withGuestImage(image, factsOfTree);
    // genisoimage moves what lies too deep for the standard here, and leaves the folder to be seen.
    delete facts['rr_moved'];
    const truth = await factsOfFolder(posix, { crtime: false });
    assert.deepEqual(brief(facts, POSIX), brief(truth, POSIX));
    await withGuestImage(image, async (tree) => {
      assert.equal((await tree.lookup('/far', { follow: false })).type, 'symlink');
      const deep = await tree.lookup('1/2/3/4/5/6/7/8/9/10/../10/deep');
      assert.equal((await tree.stat(deep.number)).size, 4);
    });
  });
}

test("Joliet's tree reads as it was, and its names are found in any case", async () => {
  await succeed('genisoimage', ['-quiet', '-J', '-joliet-long', '-o', image, plain]);
  const facts = await withGuestImage(image, factsOfTree);
  const truth = await factsOfFolder(plain, { crtime: false });
  const fields = ['type', 'size', 'sha256'];
  assert.deepEqual(brief(facts, fields), brief(truth, fields));
  await withGuestImage(image, async (tree) => {
    assert.equal((await tree.lookup('sub/loader.EFI')).size, 100_001);
    assert.equal((await tree.lookup('SUB')).mode, 0o555);
    await refused(tree.lookup('sub/nothing'), 'not-found');
  });
});

test('the plain tree has names in lower case, without their versions', async () => {
  await succeed('genisoimage', ['-quiet', '-o', image, plain]);
  const facts = await withGuestImage(image, factsOfTree);
  const truth = await factsOfFolder(plain, { crtime: false });
  const lower = Object.fromEntries(Object.entries(truth).map(([path, fact]) => [path.toLowerCase(), fact]));
  const fields = ['type', 'size', 'mtime', 'sha256'];
  const files = (all: TreeFacts) =>
    brief(Object.fromEntries(Object.entries(all).filter(([, { type }]) => type === 'file')), fields);
  assert.deepEqual(files(facts), files(lower));
});

/** Where the record of this name stands. */
async function recordAt(name: string): Promise<number> {
  const bytes = await readFile(image);
  for (let at = bytes.indexOf(`${name};1`); at >= 0; at = bytes.indexOf(`${name};1`, at + 1)) {
    if (bytes[at - 1] === name.length + 2) return at - 33;
  }
  return assert.fail(`no record of ${name}`);
}

test('a file in several sections is one, as bsdtar reads it', async () => {
  await succeed('genisoimage', ['-quiet', '-o', image, plain]);
  {
    await using file = await open(image, 'r+');
    await file.write(Buffer.from([0x80]), 0, 1, (await recordAt('A.BIN')) + 25);
    await file.write(Buffer.from('A'), 0, 1, (await recordAt('B.BIN')) + 33);
    // Three hours and a quarter east of Greenwich.
    await file.write(Buffer.from([13]), 0, 1, (await recordAt('README.TXT')) + 24);
  }
  const facts = await withGuestImage(image, factsOfTree);
  assert.equal(facts['readme.txt']?.['mtime'], BigInt(1_700_000_005 - 13 * 900) * 10n ** 9n);
  assert.equal(facts['b.bin'], undefined);
  assert.equal(facts['a.bin']?.['size'], 5097);
  const whole = Buffer.concat([noise('A.BIN', 4096), noise('B.BIN', 1001)]);
  assert.equal(facts['a.bin']?.['sha256'], hash('sha256', whole));
  await mkdir(folder.join('out'));
  await succeed('bsdtar', ['-xf', image, '-C', folder.join('out')]);
  assert.ok((await readFile(folder.join('out/A.BIN'))).equals(whole));
  await withGuestImage(image, async (tree) => {
    const extents = await Array.fromAsync(tree.extents?.(await tree.lookup('a.bin')) ?? []);
    assert.deepEqual(
      extents.map(({ offset, length }) => [offset, length]),
      [
        [0, 4096],
        [4096, 1001],
      ],
    );
  });
});

test('two directories with one content are an error, not a walk without end', async () => {
  await succeed('genisoimage', ['-quiet', '-o', image, plain]);
  const bytes = await readFile(image);
  const root = bytes.readUInt32LE(16 * 2048 + 158);
  const below = bytes.indexOf('\x05BELOW') - 32;
  bytes.writeUInt32LE(root, below + 2);
  await writeFile(image, bytes);
  await refused(
    withGuestImage(image, factsOfTree),
    'corrupt',
    /^directory \d+: its content is that of directory/,
  );
});

test('what is compressed, or cut off, is refused by its name', async () => {
  await succeed('genisoimage', ['-quiet', '-R', '-o', image, plain]);
  const bytes = await readFile(image);
  const sound = Buffer.from(bytes);
  // The field of times of a file becomes one of zisofs.
  const record = await recordAt('B.BIN');
  const at = bytes.indexOf('TF', record);
  bytes.write('ZF', at, 'latin1');
  bytes.write('pz', at + 4, 'latin1');
  await writeFile(image, bytes);
  await withGuestImage(image, async (tree) => {
    const inode = await tree.lookup('B.BIN');
    await refused(tree.read(inode, 0, Buffer.alloc(10)), 'unsupported', /is compressed \(zisofs, pz\)/);
  });
  await writeFile(image, sound.subarray(0, sound.length - 400 * 1024));
  const reading = withGuestImage(image, factsOfTree);
  await refused(reading, 'corrupt', /expected it within the \d+ bytes of the image/);
});

for (const gpt of [false, true]) {
  test(`a hybrid image with ${gpt ? 'a GPT' : 'an MBR'} and a FAT is taken for what it is as a whole`, async () => {
    const esp = folder.join('esp');
    await makeFatImage(esp, 2 << 20, ['-F', '12']);
    await mtools('mcopy', esp, `${plain}/SUB/LOADER.EFI`, '::LOADER.EFI');
    const appended = ['-append_partition', '2', '0xef', esp, ...(gpt ? ['-appended_part_as_gpt'] : [])];
    await succeed('xorriso', ['-as', 'mkisofs', '-R', '-V', 'Hybrid 1', ...appended, '-o', image, plain]);
    await using disk = await openRawDisk(image);
    const [volume, ...more] = await listVolumes(disk);
    assert.equal(more.length, 0);
    const printed = await succeed('blkid', ['-p', '-o', 'export', image]);
    const field = (name: string) =>
      new RegExp(`^${name}=(.*)$`, 'm').exec(printed)?.[1]?.replace(/\\/g, '') ?? null;
    assert.deepEqual([volume?.kind, volume?.label, volume?.uuid], ['iso9660', field('LABEL'), field('UUID')]);
    const facts = await withGuestImage(image, factsOfTree);
    assert.equal(Object.keys(facts).length, (await readdir(plain, { recursive: true })).length);
    assert.equal(facts['SUB/LOADER.EFI']?.['size'], (await stat(`${plain}/SUB/LOADER.EFI`)).size);
  });
}
