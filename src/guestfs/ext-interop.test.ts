import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { fillFolder, makeExtImage, whileMounted } from '../../test/support/ext-image.ts';
import { withGuestImage } from '../../test/support/open-guest-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { LONG } from '../../test/support/suite.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { factsOfFolder, factsOfTree } from '../../test/support/tree-facts.ts';

const MiB = 1 << 20;

interface Kind {
  readonly options: readonly string[];
  /** Whether inodes have room for the time they were made. */
  readonly crtime?: false;
  readonly largeAttributes?: true;
  /** Left out of the short run. */
  readonly long?: true;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'ext2, blocks of 1 KiB, small inodes': {
    options: ['-t', 'ext2', '-b', '1024', '-I', '128', '-O', '^dir_index'],
    crtime: false,
  },
  'ext4, blocks of 1 KiB, meta_bg': {
    options: ['-t', 'ext4', '-b', '1024', '-g', '1024', '-O', '64bit,meta_bg,^resize_inode,metadata_csum'],
  },
  'ext4, inline data and values in inodes, inodes of 512 bytes': {
    options: ['-t', 'ext4', '-b', '4096', '-I', '512', '-O', 'inline_data,ea_inode,large_dir'],
    largeAttributes: true,
  },
  'ext4, bigalloc, blocks of 1 KiB, old checksums of groups': {
    options: ['-t', 'ext4', '-b', '1024', '-C', '4096', '-O', 'bigalloc,^metadata_csum,uninit_bg'],
  },
  'ext3, blocks of 2 KiB': { options: ['-t', 'ext3', '-b', '2048', '-I', '256'], long: true },
  'ext4 as mke2fs makes it': { options: ['-t', 'ext4'], long: true },
  'ext4, inline data, blocks of 1 KiB': {
    options: ['-t', 'ext4', '-b', '1024', '-O', 'inline_data,metadata_csum_seed'],
    long: true,
  },
  'ext4, bigalloc': { options: ['-t', 'ext4', '-b', '4096', '-C', '16384', '-O', 'bigalloc'], long: true },
  'ext4, bigalloc, sparse_super2': {
    options: ['-t', 'ext4', '-b', '1024', '-C', '4096', '-O', 'bigalloc,sparse_super2,^resize_inode'],
    long: true,
  },
  'ext4, old checksums of groups': {
    options: ['-t', 'ext4', '-b', '1024', '-g', '2048', '-O', '^metadata_csum,uninit_bg,^64bit,^flex_bg'],
    long: true,
  },
  'ext4, no checksums, 64bit': { options: ['-t', 'ext4', '-O', '^metadata_csum,64bit'], long: true },
  'ext4, names of any case': { options: ['-t', 'ext4', '-O', 'casefold,encrypt,quota,project'], long: true },
};

for (const [name, { options, crtime = true, largeAttributes = false, long }] of Object.entries(KINDS)) {
  if (long && !LONG) continue;
  test(`a file system reads as the kernel shows it: ${name}`, async () => {
    await using folder = await temporaryFolder();
    const image = folder.join('image');
    const mounted = folder.join('mounted');
    await makeExtImage(image, 48 * MiB, ['-m', '0', ...options]);
    await whileMounted(image, mounted, 'rw,noatime', () =>
      fillFolder(mounted, {
        names: !LONG ? 400 : options.includes('^dir_index') ? 5000 : 50_000,
        largeAttributes,
      }),
    );
    const truth = await whileMounted(image, mounted, 'ro', () => factsOfFolder(mounted, { crtime }));
    const facts = await withGuestImage(image, factsOfTree);
    assert.deepEqual(Object.keys(facts).sort(), Object.keys(truth).sort());
    assert.deepEqual(facts, truth);
  });
}

test('blocks of 64 KiB, which this kernel may not mount, read as what they were made of', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.join('source'));
  await fillFolder(folder.join('source'), { names: LONG ? 5000 : 10 });
  const image = folder.join('image');
  const options = ['-t', 'ext4', '-b', '65536', '-m', '0', '-d', folder.join('source')];
  await makeExtImage(image, 192 * MiB, options);
  const truth = await factsOfFolder(folder.join('source'), { crtime: false });
  const facts = await withGuestImage(image, factsOfTree);
  delete facts['lost+found'];
  const same = (all: typeof facts) =>
    Object.fromEntries(
      Object.entries(all).map(([path, { type, mode, size, target, sha256, uid }]) => [
        path,
        { type, mode, size, target, sha256, uid },
      ]),
    );
  assert.deepEqual(same(facts), same(truth));
  await succeed('e2fsck', ['-fn', image]);
});
