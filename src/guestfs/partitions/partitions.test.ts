import assert from 'node:assert/strict';
import { open, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { succeed } from '../../../test/support/programs.ts';
import { refused } from '../../../test/support/refused.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../test/support/temporary.ts';
import { MemoryDisk, openRawDisk } from '../../disk/index.ts';
import { listVolumes } from '../list-volumes.ts';
import type { Partition } from './partition.ts';

const MiB = 1 << 20;

async function emptyImage(folder: TemporaryFolder, size: number): Promise<string> {
  const image = folder.join('disk');
  await writeFile(image, '');
  await truncate(image, size);
  return image;
}

async function volumesOf(image: string) {
  await using disk = await openRawDisk(image);
  return await listVolumes(disk);
}

/** Lets sfdisk work on an image; with sectors that are not 512 bytes through a loop device, which takes root. */
async function sfdisk(image: string, sectorSize: number, args: string[], input = ''): Promise<string> {
  if (sectorSize === 512) return succeed('sfdisk', [...args, image], { input });
  const device = (await succeed('losetup', ['-f', '--show', '-b', String(sectorSize), image])).trim();
  try {
    const printed = await succeed('sfdisk', ['--no-reread', '--no-tell-kernel', ...args, device], { input });
    await succeed('sync', [device]);
    return printed;
  } finally {
    await succeed('losetup', ['-d', device]);
  }
}

/** The partitions that sfdisk reads, but for extended ones. */
async function sfdiskOf(image: string, sectorSize = 512): Promise<Partition[]> {
  const { partitiontable } = JSON.parse(await sfdisk(image, sectorSize, ['--json']));
  const isGpt = partitiontable.label === 'gpt';
  return partitiontable.partitions
    .filter((each: { type: string }) => !['5', 'f', '85'].includes(each.type))
    .map(
      (each: { node: string; start: number; size: number; type: string; name?: string; uuid?: string }) => ({
        number: Number(/\d+$/.exec(each.node)?.[0]),
        offset: each.start * sectorSize,
        size: each.size * sectorSize,
        type: isGpt ? each.type.toLowerCase() : `0x${each.type.padStart(2, '0')}`,
        name: each.name ?? null,
        uuid: each.uuid?.toLowerCase() ?? null,
      }),
    )
    .sort((a: Partition, b: Partition) => a.offset - b.offset);
}

const oursOf = async (image: string) => (await volumesOf(image)).map(({ partition }) => partition);

test('primary and logical partitions of an MBR are those that sfdisk reads', async () => {
  await using folder = await temporaryFolder();
  const image = await emptyImage(folder, 128 * MiB);
  const table = ['label: dos', ',8M,83,*', ',16M,82', ',,E', ',,', ',8M,83', ',8M,8e', ',8M,c'].join('\n');
  await succeed('sfdisk', ['-q', image], { input: table.replace(',,\n', '') });
  const truth = await sfdiskOf(image);
  assert.equal(truth.length, 5);
  assert.deepEqual(await oursOf(image), truth);
});

for (const sectorSize of [512, 4096]) {
  test(`partitions of a GPT are those that sfdisk reads, sectors of ${sectorSize} bytes`, async () => {
    await using folder = await temporaryFolder();
    const image = await emptyImage(folder, 64 * MiB);
    const table = [
      'label: gpt',
      'size=8M, type=U, name="EFI system"',
      'start=40M, size=4M, name="Räume"',
      'size=8M',
    ];
    await sfdisk(image, sectorSize, ['-q'], table.join('\n'));
    const truth = await sfdiskOf(image, sectorSize);
    assert.equal(truth.length, 3);
    assert.deepEqual(await oursOf(image), truth);

    // Every byte of the header and of the entries is under a checksum: the backup then serves.
    await using file = await open(image, 'r+');
    for (const at of [sectorSize + 48, 2 * sectorSize + 20]) {
      const kept = Buffer.alloc(1);
      await file.read(kept, 0, 1, at);
      await file.write(Buffer.from([(kept[0] ?? 0) ^ 0x40]), 0, 1, at);
      assert.deepEqual(await oursOf(image), truth);
      await file.write(kept, 0, 1, at);
    }
    await file.write(Buffer.alloc(sectorSize), 0, sectorSize, sectorSize);
    assert.deepEqual(await oursOf(image), truth);
    await file.write(Buffer.from('x'), 0, 1, 64 * MiB - sectorSize + 24);
    await refused(oursOf(image), 'corrupt', /protective MBR promises .* backup header at byte \d+: checksum/);
  });
}

test('file systems and a swap area are told with label and UUID as blkid tells them', async () => {
  await using folder = await temporaryFolder();
  const uuid = '01234567-89ab-cdef-0123-456789abcdef';
  const make: readonly (readonly [Parameters<typeof succeed>[0], string[], size?: number])[] = [
    ['mke2fs', ['-q', '-F', '-t', 'ext2', '-L', 'two', '-U', uuid]],
    ['mke2fs', ['-q', '-F', '-t', 'ext3', '-L', 'three', '-U', uuid]],
    ['mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'fou r']],
    ['mkswap', ['-q', '-L', 'swapped', '-U', uuid]],
    ['mkfs.fat', ['-F', '32', '-n', 'ESP', '-i', '1234abcd'], 40 * MiB],
    ['mkfs.fat', ['-F', '12', '-i', '0000abcd']],
  ];
  for (const [program, options, size = 8 * MiB] of make) {
    const image = await emptyImage(folder, size);
    await succeed(program, [...options, image]);
    const printed = await succeed('blkid', ['-p', '-o', 'export', image]);
    const field = (name: string) =>
      new RegExp(`^${name}=(.*)$`, 'm').exec(printed)?.[1]?.replace(/\\/g, '') ?? null;
    const [volume, ...more] = await volumesOf(image);
    assert.equal(more.length, 0);
    assert.equal(volume?.number, 0);
    assert.deepEqual(
      [volume?.kind, volume?.label, volume?.uuid],
      [field('TYPE')?.replace('vfat', 'fat'), field('LABEL'), field('UUID')],
    );
  }
});

/** What else is known by its magic, with no program to make it in a test. */
test('other file systems and volumes are named', async () => {
  const kinds: Readonly<Record<string, readonly [at: number, bytes: string][]>> = {
    xfs: [[0, 'XFSB']],
    btrfs: [[65_600, '_BHRfS_M']],
    ntfs: [
      [3, 'NTFS    '],
      [510, '\x55\xaa'],
    ],
    exfat: [
      [3, 'EXFAT   '],
      [510, '\x55\xaa'],
    ],
    lvm: [
      [512, 'LABELONE'],
      [536, 'LVM2 001'],
    ],
    luks: [[0, 'LUKS\xba\xbe\x00\x02']],
    mdraid: [[4096, '\xfc\x4e\x2b\xa9']],
  };
  for (const [kind, marks] of Object.entries(kinds)) {
    await using disk = new MemoryDisk(MiB);
    for (const [at, mark] of marks) await disk.write(Buffer.from(mark, 'latin1'), at);
    const [volume] = await listVolumes(disk);
    assert.equal(volume?.kind, kind);
    // Those are a matter of libguestfs.
    if (volume?.isReadable === true) assert.match(kind, /^(xfs|btrfs|ntfs)$/);
    else await refused(volume?.open() ?? Promise.resolve(), 'unsupported', new RegExp(`\\(${kind}\\)`));
  }
});

test('a chain of logical partitions that runs in a circle is an error, not a hang', async () => {
  await using disk = new MemoryDisk(MiB);
  const entry = (type: number, start: number, count: number) => {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt8(type, 4);
    bytes.writeUInt32LE(start, 8);
    bytes.writeUInt32LE(count, 12);
    return bytes;
  };
  const signature = Buffer.from([0x55, 0xaa]);
  await disk.write(entry(5, 64, 1000), 446);
  await disk.write(signature, 510);
  for (const [table, next] of [
    [64, 64],
    [128, 0],
  ]) {
    await disk.write(entry(0x83, 1, 8), Number(table) * 512 + 446);
    await disk.write(entry(5, Number(next), 9), Number(table) * 512 + 462);
    await disk.write(signature, Number(table) * 512 + 510);
  }
  await refused(listVolumes(disk), 'corrupt', /expected an end to its chain of tables, got sector 64 again/);
});

test('a disk with nothing on it, and one too small for anything, have one volume of no kind', async () => {
  for (const size of [0, 100, 512, 1024, MiB]) {
    await using disk = new MemoryDisk(size);
    const volumes = await listVolumes(disk);
    assert.deepEqual(
      volumes.map(({ kind, number, size: bytes }) => [kind, number, bytes]),
      [[null, 0, size]],
    );
  }
});

test('a partition that reaches behind the end of the disk is cut or left out, as Linux does', async () => {
  await using folder = await temporaryFolder();
  const image = await emptyImage(folder, 64 * MiB);
  await succeed('sfdisk', ['-q', image], { input: 'label: dos\n,16M\n,16M\n,16M\n' });
  await truncate(image, 24 * MiB);
  const found = await oursOf(image);
  assert.deepEqual(
    found.map((each) => [each?.number, (each?.offset ?? 0) + (each?.size ?? 0)]),
    [
      [1, 17 * MiB],
      [2, 24 * MiB],
    ],
  );
});
