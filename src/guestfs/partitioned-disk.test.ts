import assert from 'node:assert/strict';
import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { makeExtImage } from '../../test/support/ext-image.ts';
import { checkFat, makeFatImage, mtools } from '../../test/support/fat-image.ts';
import { sourceOf } from '../../test/support/file-source.ts';
import { succeed } from '../../test/support/programs.ts';
import { noise } from '../../test/support/store-scene.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { openRawDisk } from '../disk/index.ts';
import { chooseVolume } from './choose-volume.ts';
import type { FileTree } from './file-tree.ts';
import { listVolumes } from './list-volumes.ts';
import type { TreeChange } from './tree-change.ts';
import { writeVolume } from './write-volume.ts';

const MiB = 1 << 20;
const LOADER = noise('loader', 300_001);

type Table = 'gpt' | 'mbr' | 'mbr with a logical partition';

/** Partitions a disk: 8 MiB for the loader (7 beside a logical partition), the rest for the system. */
async function partition(disk: string, table: Table, sectorSize: number): Promise<void> {
  if (table !== 'gpt') {
    // What lies in an extended partition begins with a sector of the table that goes on.
    const rest = table === 'mbr' ? 'start=9M,type=83' : 'start=8M,type=5\nstart=9M,type=83';
    const first = `start=1M,size=${table === 'mbr' ? 8 : 7}M,type=ef`;
    await succeed('sfdisk', ['-q', disk], { input: `label: dos\n${first}\n${rest}\n` });
    return;
  }
  const options = ['-n', '1:1M:+8M', '-t', '1:ef00', '-n', '2:9M:0', '-t', '2:8300'];
  if (sectorSize === 512) {
    await succeed('sgdisk', [...options, disk]);
    return;
  }
  const device = (await succeed('losetup', ['-f', '--show', '-b', String(sectorSize), disk])).trim();
  try {
    await succeed('sgdisk', [...options, device]);
    await succeed('sync', [device]);
  } finally {
    await succeed('losetup', ['-d', device]);
  }
}

async function contentOf(tree: FileTree, path: string): Promise<Buffer> {
  const inode = await tree.lookup(path);
  const content = Buffer.alloc(inode.size);
  await tree.read(inode, 0, content);
  return content;
}

/** What is written into the two file systems. */
const WRITTEN = noise('written', 70_001);

async function* oneFile(path: string): AsyncGenerator<TreeChange> {
  const time = 1_700_000_000n * 10n ** 9n;
  const attributes = { mode: 0o640, uid: 0, gid: 0, atime: time, mtime: time };
  yield { kind: 'file', path: Buffer.from(path), attributes, source: sourceOf(WRITTEN) };
}

for (const { table, sectorSize, numbers, loaderSize } of [
  { table: 'gpt', sectorSize: 512, numbers: ['1', '2'], loaderSize: 8 * MiB },
  { table: 'gpt', sectorSize: 4096, numbers: ['1', '2'], loaderSize: 8 * MiB },
  { table: 'mbr', sectorSize: 512, numbers: ['1', '2'], loaderSize: 8 * MiB },
  { table: 'mbr with a logical partition', sectorSize: 512, numbers: ['1', '5'], loaderSize: 7 * MiB },
] as const) {
  test(`a loader's FAT and a system's ext4 are read and written in one disk: ${table}, sectors of ${sectorSize} bytes`, async () => {
    await using folder = await temporaryFolder();
    const esp = folder.join('esp');
    const root = folder.join('root');
    const disk = folder.join('disk');
    await makeFatImage(esp, loaderSize, ['-S', String(sectorSize), '-n', 'ESP', '-i', 'abcd1234']);
    await writeFile(folder.join('loader'), LOADER);
    await mtools('mmd', esp, '::EFI', '::EFI/BOOT');
    await mtools('mcopy', esp, folder.join('loader'), '::EFI/BOOT/BOOTX64.EFI');
    for (const name of ['etc', 'usr']) await mkdir(folder.join('source', name), { recursive: true });
    await writeFile(folder.join('source/etc/hostname'), 'otter\n');
    await makeExtImage(root, 8 * MiB, ['-t', 'ext4', '-d', folder.join('source')]);
    await writeFile(disk, '');
    await truncate(disk, 20 * MiB);
    await partition(disk, table, sectorSize);
    {
      await using file = await open(disk, 'r+');
      await file.write(await readFile(esp), 0, loaderSize, MiB);
      await file.write(await readFile(root), 0, 8 * MiB, 9 * MiB);
    }
    await using opened = await openRawDisk(disk, { writable: true });
    const volumes = await listVolumes(opened);
    const [loaderNumber, systemNumber] = numbers;
    assert.deepEqual(
      volumes.filter(({ kind }) => kind !== null).map(({ number, kind }) => [String(number), kind]),
      [
        [loaderNumber, 'fat'],
        [systemNumber, 'ext4'],
      ],
    );
    {
      await using system = await (await chooseVolume(volumes)).open();
      assert.equal((await contentOf(system, '/etc/hostname')).toString(), 'otter\n');
      for (const wanted of [loaderNumber, 'ESP', 'ABCD-1234', 'abcd-1234']) {
        await using loader = await (await chooseVolume(volumes, wanted)).open();
        assert.equal((await loader.lookup('/efi/boot/bootx64.efi')).size, LOADER.length);
      }
      await using loader = await (await chooseVolume(volumes, loaderNumber)).open();
      assert.ok((await contentOf(loader, '/EFI/BOOT/BOOTX64.EFI')).equals(LOADER));
      const [extent] = await Array.fromAsync(
        loader.extents?.(await loader.lookup('/EFI/BOOT/BOOTX64.EFI')) ?? [],
      );
      const there = Buffer.alloc(100);
      await opened.read(there, extent?.diskOffset ?? 0);
      assert.ok(there.equals(LOADER.subarray(0, 100)));
    }
    const before = await readFile(disk);
    for (const [number, path] of [
      [loaderNumber, 'EFI/BOOT/written by calve.bin'],
      [systemNumber, 'etc/written'],
    ] as const) {
      await mkdir(folder.join(`in the making ${number}`));
      await writeVolume(opened, await chooseVolume(volumes, number), oneFile(path), {
        folder: folder.join(`in the making ${number}`),
      });
    }
    await opened.flush();
    const after = await readFile(disk);
    // Tables, gaps and everything behind stay as they are.
    for (const [from, to] of [
      [0, MiB],
      [MiB + loaderSize, 9 * MiB],
      [17 * MiB, 20 * MiB],
    ] as const) {
      assert.ok(after.subarray(from, to).equals(before.subarray(from, to)), `${from} to ${to}`);
    }
    await writeFile(esp, after.subarray(MiB, MiB + loaderSize));
    await writeFile(root, after.subarray(9 * MiB, 17 * MiB));
    await checkFat(esp);
    await succeed('e2fsck', ['-fn', root]);
    await mtools('mcopy', esp, '::EFI/BOOT/written by calve.bin', folder.join('from the FAT'));
    await succeed('debugfs', ['-R', `dump /etc/written "${folder.join('from the ext4')}"`, root]);
    for (const name of ['from the FAT', 'from the ext4']) {
      assert.ok((await readFile(folder.join(name))).equals(WRITTEN), name);
    }
  });
}
