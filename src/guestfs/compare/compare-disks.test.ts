import assert from 'node:assert/strict';
import { copyFile, mkdir, open, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { changeFolder } from '../../../test/support/change-folder.ts';
import { fillFolder, makeExtImage, whileMounted } from '../../../test/support/ext-image.ts';
import { withGuestImage } from '../../../test/support/open-guest-image.ts';
import { succeed } from '../../../test/support/programs.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { LONG, rounds, SEED } from '../../../test/support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../test/support/temporary.ts';
import { factsOfFolder, type TreeFacts } from '../../../test/support/tree-facts.ts';
import { type ChangedPaths, changedPaths, toldPaths } from '../../../test/support/tree-truth.ts';
import { type Disk, openRawDisk } from '../../disk/index.ts';
import { differences, type Range } from '../../img/index.ts';
import { chooseVolume } from '../choose-volume.ts';
import { listVolumes } from '../list-volumes.ts';
import { compareDisks, type DiskCompareOptions, type DiskDifference } from './compare-disks.ts';

const MiB = 1 << 20;

/** The ranges in which two disks differ, as an image of clusters of this size would have them. */
async function* changedClusters(before: Disk, after: Disk, size: number): AsyncGenerator<Range> {
  for await (const { offset, length } of differences(before, after)) {
    const start = offset - (offset % size);
    yield { offset: start, length: Math.ceil((offset + length) / size) * size - start };
  }
}

/** Compares two images with what may be known ahead: nothing, or where they differ. */
async function compared(
  images: readonly [string, string],
  options: DiskCompareOptions & { readonly cluster?: number } = {},
): Promise<DiskDifference[]> {
  await using before = await openRawDisk(images[0]);
  await using after = await openRawDisk(images[1]);
  const { cluster, ...rest } = options;
  const within = cluster === undefined ? undefined : changedClusters(before, after, cluster);
  return await Array.fromAsync(compareDisks(before, after, { within, ...rest }));
}

async function told(images: readonly [string, string], cluster?: number): Promise<ChangedPaths> {
  const found = await compared(images, { renames: false, ...(cluster === undefined ? {} : { cluster }) });
  return toldPaths(
    (async function* () {
      yield* found;
    })(),
  );
}

/** What the kernel shows of an image. One that was not shut down must be a copy: its journal is replayed. */
async function truthOf(folder: TemporaryFolder, image: string, options = 'ro'): Promise<TreeFacts> {
  const mounted = folder.join('mounted');
  return whileMounted(image, mounted, options, () => factsOfFolder(mounted, { crtime: false }));
}

/** Whether renames, undone, are what was deleted and added. */
function assertRenames(found: readonly DiskDifference[], truth: ChangedPaths): number {
  const deleted = new Set(truth.deleted);
  const added = new Set(truth.added);
  let renamed = 0;
  for (const each of found) {
    assert.ok(each.what === 'file');
    const { kind, path, oldPath, after } = each.change;
    const now = path.toString('latin1');
    if (kind === 'added') assert.ok(added.delete(now), now);
    else if (kind === 'deleted') assert.ok(deleted.delete(now), now);
    if (kind !== 'renamed') continue;
    renamed += 1;
    const old = oldPath?.toString('latin1') ?? '';
    assert.ok(deleted.delete(old) && added.delete(now), `${old} -> ${now}`);
    if (after?.type !== 'directory') continue;
    // What lies in it moved along, but for what is told on its own.
    for (const below of [...deleted]) {
      const moved = now + below.slice(old.length);
      if (!below.startsWith(`${old}/`) || !added.has(moved)) continue;
      if (
        found.some(
          (other) =>
            other.what === 'file' &&
            other.change.kind !== 'modified' &&
            [below, moved].includes((other.change.oldPath ?? other.change.path).toString('latin1')),
        )
      )
        continue;
      deleted.delete(below);
      added.delete(moved);
    }
  }
  assert.deepEqual([[...deleted], [...added]], [[], []]);
  return renamed;
}

const KINDS: readonly (readonly string[])[] = [
  ['-t', 'ext4', '-b', '1024', '-I', '512', '-O', 'inline_data,ea_inode'],
  ['-t', 'ext2', '-b', '1024', '-I', '128'],
  ['-t', 'ext4'],
];

const ROUNDS = rounds(1, 60);
let renamed = 0;

for (let round = 0; round < ROUNDS; round += 1) {
  const options = KINDS[round % KINDS.length] ?? [];
  test(`random changes are told as the kernel shows them, with and without knowing where the disks differ: ${round + 1}, ${options.join(' ')}`, async () => {
    await using folder = await temporaryFolder();
    const random = seededRandom(SEED + round);
    const images = [folder.join('before'), folder.join('after')] as const;
    const crashed = [folder.join('first'), folder.join('second')] as const;
    const mounted = folder.join('mounted');
    await makeExtImage(images[0], (LONG ? 96 : 20) * MiB, ['-m', '0', ...options]);
    await whileMounted(images[0], mounted, 'rw,noatime', () => fillFolder(mounted, { names: 40 }));
    await copyFile(images[0], images[1]);
    await whileMounted(images[1], mounted, 'rw,noatime', async () => {
      await changeFolder(mounted, random, LONG ? 60 : 30);
      if (options.includes('ext2')) return;
      // Copies of what lies on the disk before it is unmounted have a journal to be replayed: what changed between the
      // two stands in that alone.
      await succeed('sync', ['-f', mounted]);
      await copyFile(images[1], crashed[0]);
      await changeFolder(mounted, random, 5);
      await succeed('sync', [mounted]);
      await copyFile(images[1], crashed[1]);
    });
    const before = await truthOf(folder, images[0]);
    const truth = changedPaths(before, await truthOf(folder, images[1]));
    assert.ok(truth.added.size + truth.modified.size + truth.deleted.size > 10);
    assert.deepEqual(await told(images), truth);
    assert.deepEqual(await told(images, 4096), truth);
    assert.deepEqual(await told(images, 65_536), truth);
    for (const cluster of [undefined, 65_536]) {
      const found = await compared(images, cluster === undefined ? {} : { cluster });
      renamed += assertRenames(found, truth);
    }
    if (round === ROUNDS - 1) assert.ok(renamed > 0);
    if (options.includes('ext2')) return;
    await using disk = await openRawDisk(crashed[1]);
    await using tree = await (await chooseVolume(await listVolumes(disk))).open();
    assert.ok(tree.replayedBlocks > 0);
    const replayed = await Promise.all(
      crashed.map(async (image) => {
        await copyFile(image, `${image}.copy`);
        return `${image}.copy`;
      }),
    );
    const facts: TreeFacts[] = [];
    for (const image of replayed) facts.push(await truthOf(folder, image, 'rw,noatime'));
    const crashedTruth = changedPaths(facts[0] ?? {}, facts[1] ?? {});
    assert.ok(Object.values(crashedTruth).some(({ size }) => size > 0));
    assert.deepEqual(await told(crashed, 4096), crashedTruth);
    assert.deepEqual(await told(crashed), crashedTruth);
    assert.deepEqual(await told([images[0], crashed[1]], 4096), changedPaths(before, facts[1] ?? {}));
  });
}

test('bytes that changed under an inode that did not are found, and nothing else', async () => {
  await using folder = await temporaryFolder();
  const images = [folder.join('before'), folder.join('after')] as const;
  await mkdir(folder.join('source'));
  await fillFolder(folder.join('source'), { names: 3 });
  await makeExtImage(images[0], 12 * MiB, ['-t', 'ext4', '-b', '1024', '-d', folder.join('source')]);
  await copyFile(images[0], images[1]);
  const place = await withGuestImage(images[0], async (tree) => {
    for await (const { diskOffset } of tree.extents?.(await tree.lookup('/scattered')) ?? []) {
      if (diskOffset !== null) return diskOffset;
    }
    throw new Error('expected blocks');
  });
  {
    await using file = await open(images[1], 'r+');
    await file.write(Buffer.from('!'), 0, 1, place + 5);
  }
  for (const cluster of [undefined, 4096, MiB]) {
    const found = await compared(images, cluster === undefined ? {} : { cluster });
    const [only] = found;
    assert.ok(found.length === 1 && only?.what === 'file');
    assert.deepEqual([only.change.path.toString(), only.change.aspects], ['scattered', ['content']]);
  }
});

test('a partition that one disk alone has, one without files, and what lies in none are told', async () => {
  await using folder = await temporaryFolder();
  const images = [folder.join('before'), folder.join('after')] as const;
  const table = 'label: gpt\nfirst-lba: 2048\nsize=2M\nsize=2M, type=S\n';
  for (const [image, input] of [
    [images[0], table],
    [images[1], `${table}size=1M\n`],
  ] as const) {
    await writeFile(image, '');
    await truncate(image, 10 * MiB);
    await succeed('sfdisk', ['-q', image], { input });
  }
  {
    await using file = await open(images[1], 'r+');
    await file.write(Buffer.from('!'), 0, 1, 3 * MiB + 5000);
  }
  for (const cluster of [undefined, 65_536]) {
    const found = await compared(images, cluster === undefined ? {} : { cluster });
    assert.deepEqual(
      found.map((each) => [
        each.what,
        each.volume.number,
        'bytes' in each && each.what !== 'blocks' ? each.bytes : null,
      ]),
      [
        ['blocks', 2, null],
        ['volume', 3, MiB],
        ['blocks', null, null],
      ],
    );
    const [blocks, , outside] = found;
    assert.ok(blocks?.what === 'blocks' && blocks.bytes === 512);
    // The table and its backup: two headers, and the sectors with the entries.
    assert.ok(outside?.what === 'blocks' && outside.bytes >= 4 * 512 && outside.bytes <= 68 * 512);
  }
  assert.deepEqual(
    (await compared(images, { partition: '2' })).map(({ volume }) => volume.number),
    [2],
  );
  await assert.rejects(compared(images, { partition: '9' }), { code: 'not-found' });
});
