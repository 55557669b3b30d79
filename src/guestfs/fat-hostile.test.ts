import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { makeFatImage, mtools } from '../../test/support/fat-image.ts';
import { memoryImage } from '../../test/support/memory-image.ts';
import { refused } from '../../test/support/refused.ts';
import { noise } from '../../test/support/store-scene.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { chooseVolume } from './choose-volume.ts';
import type { FileTree } from './file-tree.ts';
import { listVolumes } from './list-volumes.ts';
import { walkTree } from './walk-tree.ts';

const MiB = 1 << 20;
const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

/** The start of a file system, behind which all is zeros. */
async function makeOriginal(name: string, size: number, options: readonly string[]): Promise<Buffer> {
  const image = folder.join(name);
  const content = folder.join('content');
  await makeFatImage(image, size, ['-n', 'LABEL', ...options]);
  await writeFile(content, noise('content', 5000));
  await mtools('mmd', image, '::DIR', '::DIR/BELOW');
  await mtools('mcopy', image, content, '::FILE');
  await mtools('mcopy', image, content, '::DIR/A long name of a file.txt');
  return (await readFile(image)).subarray(0, MiB);
}

const fat16 = await makeOriginal('fat16', 4 * MiB, ['-F', '16', '-s', '1']);
const fat32 = await makeOriginal('fat32', 34 * MiB, ['-F', '32', '-s', '1']);

/** An image with its numbers at hand. */
class Patch {
  readonly bytes: Buffer;
  readonly fatAt: number;
  readonly fatSize: number;
  readonly #wide: boolean;

  constructor(original: Buffer) {
    this.bytes = Buffer.from(original);
    this.#wide = original === fat32;
    this.fatAt = original.readUInt16LE(14) * 512;
    this.fatSize = (this.#wide ? original.readUInt32LE(36) : original.readUInt16LE(22)) * 512;
  }

  /** Where the entry with this short name stands. */
  entry(name: string): number {
    const at = this.bytes.indexOf(Buffer.from(name.padEnd(11), 'latin1'), this.fatAt + 2 * this.fatSize);
    assert.ok(at > 0, name);
    return at;
  }

  first(name: string): number {
    return this.bytes.readUInt16LE(this.entry(name) + 26);
  }

  /** Sets what follows a cluster in the first FAT. */
  follow(cluster: number, next: number): void {
    if (this.#wide) this.bytes.writeUInt32LE(next, this.fatAt + cluster * 4);
    else this.bytes.writeUInt16LE(next, this.fatAt + cluster * 2);
  }

  async with<Result>(action: (tree: FileTree) => Promise<Result>): Promise<Result> {
    await using disk = await memoryImage(this.bytes, 34 * MiB);
    await using tree = await (await chooseVolume(await listVolumes(disk))).open();
    return await action(tree);
  }

  /** All names, and all content. */
  all(): Promise<string[]> {
    return this.with(async (tree) => {
      const names: string[] = [];
      for await (const { path, inode } of walkTree(tree, await tree.root(), { recursive: true })) {
        names.push(path.toString());
        if (inode.type !== 'file') continue;
        await tree.read(inode, 0, Buffer.alloc(inode.size));
        await Array.fromAsync(tree.extents?.(inode) ?? []);
      }
      return names;
    });
  }
}

test('chains that lead nowhere are errors that name the file and what is wrong', async () => {
  const kinds: readonly (readonly [what: RegExp, change: (patch: Patch, first: number) => void])[] = [
    [/^file \d+: its chain leads to cluster (\d+), which is free/, (patch, first) => patch.follow(first, 0)],
    [/which is marked as bad/, (patch, first) => patch.follow(first + 1, 0xfff7)],
    [/which is followed by 1, expected 2 to \d+/, (patch, first) => patch.follow(first + 1, 1)],
    [/which is followed by 65000, expected/, (patch, first) => patch.follow(first, 65_000)],
    [/runs in a circle at \d+/, (patch, first) => patch.follow(first + 3, first)],
    [/runs in a circle at \d+/, (patch, first) => patch.follow(first + 5, first + 5)],
    [/ends after 3 clusters, its size takes 10/, (patch, first) => patch.follow(first + 2, 0xffff)],
    [
      /cluster from 2 to \d+, got 60000/,
      (patch) => patch.bytes.writeUInt16LE(60_000, patch.entry('FILE') + 26),
    ],
    [/5000 bytes and no cluster/, (patch) => patch.bytes.writeUInt16LE(0, patch.entry('FILE') + 26)],
    [
      /take 8388608 clusters, of which/,
      (patch) => patch.bytes.writeUInt32LE(0xffff_ffff, patch.entry('FILE') + 28),
    ],
    [
      /^directory \d+: its chain of clusters runs/,
      (patch) => patch.follow(patch.first('DIR'), patch.first('DIR')),
    ],
    [
      /^directory \d+: expected a cluster from 2/,
      (patch) => patch.bytes.writeUInt16LE(0, patch.entry('DIR') + 26),
    ],
    [
      /^directory \d+: it begins in cluster \d+, as directory \d+ does/,
      (patch) => patch.bytes.writeUInt16LE(patch.first('DIR'), patch.entry('BELOW') + 26),
    ],
    [
      /a name that no file can have: "FI\/E"/,
      (patch) => patch.bytes.write('FI/E', patch.entry('FILE'), 'latin1'),
    ],
  ];
  for (const [what, change] of kinds) {
    const patch = new Patch(fat16);
    change(patch, patch.first('FILE'));
    await refused(patch.all(), 'corrupt', what);
  }
  const sound = ['DIR', 'DIR/A long name of a file.txt', 'DIR/BELOW', 'FILE'];
  assert.deepEqual(await new Patch(fat16).all(), sound);
  assert.deepEqual(await new Patch(fat32).all(), sound);
});

test('names are found in any case, by the short one too, and from the root on', async () => {
  await new Patch(fat16).with(async (tree) => {
    const { number } = await tree.lookup('DIR/A long name of a file.txt');
    for (const path of [
      'dir/a LONG name of a FILE.txt',
      '/Dir/ALONGN~1.TXT',
      'dir/below/../a long name of a file.txt...',
    ]) {
      assert.equal((await tree.lookup(path)).number, number, path);
    }
    assert.equal((await tree.stat(number)).size, 5000);
    await refused(tree.lookup('label'), 'not-found');
    await refused(tree.stat(5), 'not-found', /no file has the number 5/);
    await refused(tree.stat(2 ** 40), 'not-found');
    await refused(tree.readLink(await tree.lookup('file')), 'usage');
  });
});

test('where a file and its entry lie on the disk is told', async () => {
  const patch = new Patch(fat16);
  const second = patch.first('FILE') + 1;
  // The second cluster goes to the end of the disk: two pieces become three.
  patch.follow(second - 1, 1500);
  patch.follow(1500, second + 1);
  const dataAt = patch.entry('LABEL') + 512 * 32;
  await patch.with(async (tree) => {
    const inode = await tree.lookup('FILE');
    assert.deepEqual(await tree.inodeRange?.(inode.number), { offset: patch.entry('FILE'), length: 32 });
    const place = (cluster: number): number => dataAt + (cluster - 2) * 512;
    assert.deepEqual(await Array.fromAsync(tree.extents?.(inode) ?? []), [
      { offset: 0, length: 512, diskOffset: place(second - 1) },
      { offset: 512, length: 512, diskOffset: place(1500) },
      { offset: 1024, length: 4096, diskOffset: place(second + 1) },
    ]);
    const piece = Buffer.alloc(700);
    // Forth, and back again.
    for (const at of [4000, 900, 4900]) {
      const length = await tree.read(inode, at, piece);
      assert.equal(length, Math.min(700, 5000 - at));
      // What lay in the second cluster is zeros where that went.
      const whole = noise('content', 5000).fill(0, 512, 1024);
      assert.ok(piece.subarray(0, length).equals(whole.subarray(at, at + length)));
    }
  });
});

test('parts of long names that belong to nothing are left out; halves of characters are kept apart', async () => {
  const orphan = new Patch(fat16);
  const at = orphan.entry('ALONGN~1TXT');
  orphan.bytes.writeUInt8(orphan.bytes.readUInt8(at - 32 + 13) ^ 1, at - 32 + 13);
  assert.ok((await orphan.all()).includes('DIR/ALONGN~1.TXT'));
  const renamed = new Patch(fat16);
  renamed.bytes.write('B', at, 'latin1');
  assert.ok((await renamed.all()).includes('DIR/BLONGN~1.TXT'));

  const halves = new Patch(fat16);
  halves.bytes.writeUInt16LE(0xd83e, at - 32 + 1);
  await halves.with(async (tree) => {
    const entries = await Array.fromAsync(tree.list(await tree.lookup('DIR')));
    const found = entries.map(({ name }) => name).find((name) => name[0] === 0xed) ?? Buffer.alloc(0);
    assert.deepEqual(found, Buffer.from('\xed\xa0\xbe long name of a file.txt', 'latin1'));
    assert.equal((await tree.lookup(Buffer.concat([Buffer.from('dir/'), found]))).size, 5000);
  });
});

test('short names have their characters and their case', async () => {
  const patch = new Patch(fat16);
  const at = patch.entry('FILE');
  // Code page 437: É and, first, σ, which is the byte of free entries.
  patch.bytes.set([0x05, 0x90, 0x4c, 0x45], at);
  patch.bytes.write('TXT', at + 8, 'latin1');
  patch.bytes.writeUInt8(0x10, at + 12);
  assert.ok((await patch.all()).includes('σÉLE.txt'));
  patch.bytes.writeUInt8(0x18, at + 12);
  assert.ok((await patch.all()).includes('σéle.txt'));
  // Behind the end nothing counts.
  patch.bytes.writeUInt8(0, patch.entry('DIR'));
  assert.deepEqual(await patch.all(), []);
});

test('the FAT that counts is read, and the backup of a boot sector that contradicts itself', async () => {
  const one = new Patch(fat32);
  one.bytes.fill(0, one.fatAt + 12, one.fatAt + one.fatSize);
  await refused(one.all(), 'corrupt', /which is free/);
  one.bytes.writeUInt16LE(0x81, 40);
  assert.equal((await one.all()).length, 4);
  one.bytes.writeUInt16LE(0x82, 40);
  const backup = await one.all().catch((error: unknown) => error);
  assert.match(String(backup), /which is free/, 'the backup says that the first FAT counts');

  const broken = new Patch(fat32);
  broken.bytes.writeUInt32LE(0x00ff_ffff, 32);
  broken.bytes.writeUInt16LE(0, 19);
  assert.equal((await broken.all()).length, 4);
  broken.bytes.fill(0, 6 * 512, 7 * 512);
  await refused(broken.all(), 'corrupt', /^boot sector: expected at most the \d+ bytes of the partition/);
  const later = new Patch(fat32);
  later.bytes.writeUInt16LE(1, 42);
  await refused(later.all(), 'unsupported', /FAT32 of version 1/);
});

test('a FAT is known without its text, and exFAT is refused by its name', async () => {
  const silent = new Patch(fat16);
  silent.bytes.fill(0x20, 54, 62);
  assert.equal((await silent.all()).length, 4);
  const other = new Patch(fat16);
  other.bytes.fill(0, 11, 64);
  other.bytes.write('EXFAT   ', 3, 'latin1');
  await refused(other.all(), 'unsupported', /\(exfat\)/);
});
