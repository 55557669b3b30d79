import assert from 'node:assert/strict';
import { mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { makeExtImage } from '../../test/support/ext-image.ts';
import { withGuestImage } from '../../test/support/open-guest-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { walkTree } from './walk-tree.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const source = folder.join('source');
await mkdir(`${source}/etc/below`, { recursive: true });
await writeFile(`${source}/etc/hostname`, 'otter\n');
await symlink('loop', `${source}/loop`);
await symlink('/../../etc/./below/..', `${source}/etc-again`);

/** A fresh image of the source, with the options of mke2fs and these commands of debugfs. */
async function makeImage(options: readonly string[], ...commands: string[]): Promise<string> {
  const image = folder.join('image');
  await makeExtImage(image, 4 << 20, ['-t', 'ext4', '-b', '1024', '-d', source, ...options]);
  for (const command of commands) await succeed('debugfs', ['-w', '-R', command, image]);
  return image;
}

const firstBlockOf = async (image: string, path: string): Promise<number> =>
  Number(/\(0\):(\d+)/.exec(await succeed('debugfs', ['-R', `stat ${path}`, image]))?.[1]);

test('paths are resolved as in the guest, and lead nowhere else', async () => {
  await withGuestImage(await makeImage([]), async (tree) => {
    const { number } = await tree.lookup('/etc/hostname');
    for (const path of [
      'etc/hostname',
      '//etc/../etc/./hostname',
      'etc-again/hostname',
      '../../etc/below/../hostname',
    ]) {
      assert.equal((await tree.lookup(path)).number, number, path);
    }
    assert.equal((await tree.lookup('etc-again', { follow: false })).type, 'symlink');
    assert.equal((await tree.lookup('etc-again/', { follow: false })).type, 'directory');
    assert.equal((await tree.lookup('..')).number, 2);
    await refused(tree.lookup('/etc/nothing'), 'not-found', /^\/etc\/nothing: no such file/);
    await refused(tree.lookup('/etc/hostname/x'), 'not-found', /a part of it is no directory/);
    await refused(tree.lookup('/etc/hostname/'), 'not-found', /it is no directory/);
    await refused(tree.lookup('/loop'), 'invalid', /more than 40 symlinks/);
  });
});

test('where a file and an inode lie on the disk is told', async () => {
  const image = await makeImage([]);
  const block = await firstBlockOf(image, '/etc/hostname');
  const place = /located at block (\d+), offset 0x(\w+)/.exec(
    await succeed('debugfs', ['-R', 'imap /etc/hostname', image]),
  );
  await withGuestImage(image, async (tree) => {
    const inode = await tree.lookup('/etc/hostname');
    assert.deepEqual(await Array.fromAsync(tree.extents?.(inode) ?? []), [
      { offset: 0, length: 1024, diskOffset: block * 1024 },
    ]);
    const offset = Number(place?.[1]) * 1024 + Number.parseInt(place?.[2] ?? '', 16);
    assert.deepEqual(await tree.inodeRange?.(inode.number), { offset, length: 256 });
  });
});

test('each structure whose checksum is wrong is an error that names it', async () => {
  const kinds: readonly (readonly [what: RegExp, at: (image: string) => Promise<number>])[] = [
    [/^superblock: expected the checksum/, async () => 1024 + 0x78],
    [/^group descriptor 0: expected the checksum/, async () => 2 * 1024 + 12],
    [
      /^directory \d+, block \d+: expected the checksum/,
      async (image) => (await firstBlockOf(image, '/etc')) * 1024 + 500,
    ],
    [
      /^inode \d+: expected the checksum/,
      async (image) => {
        const told = await succeed('debugfs', ['-R', 'imap /etc', image]);
        const [, block, offset = ''] = /located at block (\d+), offset 0x(\w+)/.exec(told) ?? [];
        return Number(block) * 1024 + Number.parseInt(offset, 16) + 8;
      },
    ],
  ];
  for (const [what, place] of kinds) {
    const image = await makeImage(['-O', 'metadata_csum']);
    const at = await place(image);
    {
      await using file = await open(image, 'r+');
      await file.write('X', at);
    }
    const reading = withGuestImage(image, async (tree) => {
      await Array.fromAsync(walkTree(tree, await tree.root(), { recursive: true }));
    });
    await refused(reading, 'corrupt', what);
  }
});

test('a directory that is met again ends a walk', async () => {
  const image = await makeImage(['-O', '^metadata_csum'], 'ln /etc /etc/below/up');
  const walk = withGuestImage(image, async (tree) =>
    Array.fromAsync(walkTree(tree, await tree.root(), { recursive: true })),
  );
  await refused(walk, 'corrupt', /^directory \d+ has several names/);
});

test('directories that have blocks in common, and those that lie too deep, end a walk', async () => {
  const plain = ['-O', '^metadata_csum,^64bit,^extents'];
  const walkOf = (image: string): Promise<unknown> =>
    withGuestImage(image, async (tree) => {
      // What was listed before may be listed again.
      await Array.fromAsync(tree.list(await tree.lookup('/etc')));
      for await (const _ of walkTree(tree, await tree.root(), { recursive: true }));
    });
  const block = await firstBlockOf(await makeImage(plain), '/etc');
  await walkOf(await makeImage(plain));
  const already = /^directory \d+: block \d+ is one of a directory already/;
  const shared = await makeImage(plain, `sif /etc/below block[0] ${block}`);
  await refused(walkOf(shared), 'corrupt', already);
  const twice = await makeImage(plain, `sif /etc block[1] ${block}`, 'sif /etc size 2048');
  await refused(walkOf(twice), 'corrupt', already);
  const deep = await makeImage(plain);
  const name = 'n'.repeat(250);
  await succeed('debugfs', ['-w', '-f', '-', deep], { input: `mkdir ${name}\ncd ${name}\n`.repeat(70) });
  await refused(walkOf(deep), 'unsupported', /^directories lie deeper than a path of 16384 bytes/);
});

test('what is not read is refused by its name', async () => {
  const plain = ['-O', '^metadata_csum'];
  await refused(
    withGuestImage(await makeImage(plain, 'ssv feature_incompat 0x80001042'), async () => {}),
    'unsupported',
    /a feature that is not read here: dirdata, unknown \(0x80000000\)/,
  );
  const encrypted = await makeImage([...plain, '-O', 'encrypt'], 'sif /etc flags 0x80800');
  await withGuestImage(encrypted, async (tree) => {
    await refused(
      Array.fromAsync(tree.list(await tree.lookup('etc'))),
      'unsupported',
      /a directory, is encrypted/,
    );
  });
  await refused(
    withGuestImage(await makeImage(plain, 'ssv blocks_count 5000'), async () => {}),
    'corrupt',
    /^superblock: expected at most the 4194304 bytes of the partition/,
  );
});
