import assert from 'node:assert/strict';
import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { makeExtImage } from '../../test/support/ext-image.ts';
import { makeFatImage, mtools } from '../../test/support/fat-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { noise } from '../../test/support/store-scene.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { openRawDisk } from '../disk/index.ts';
import { chooseVolume } from './choose-volume.ts';
import type { FileTree } from './file-tree.ts';
import { listVolumes } from './list-volumes.ts';

const MiB = 1 << 20;
const LOADER = noise('loader', 300_001);

/** Partitions a disk: 8 MiB for the loader, the rest for the system. */
async function partition(disk: string, table: 'gpt' | 'mbr', sectorSize: number): Promise<void> {
  if (table === 'mbr') {
    await succeed('sfdisk', ['-q', disk], {
      input: 'label: dos\nstart=1M,size=8M,type=ef\nstart=9M,type=83\n',
    });
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

for (const [table, sectorSize] of [
  ['gpt', 512],
  ['mbr', 512],
  ['gpt', 4096],
] as const) {
  test(`a loader's FAT and a system's ext4 are read from one disk: ${table}, sectors of ${sectorSize} bytes`, async () => {
    await using folder = await temporaryFolder();
    const esp = folder.join('esp');
    const root = folder.join('root');
    const disk = folder.join('disk');
    await makeFatImage(esp, 8 * MiB, ['-S', String(sectorSize), '-n', 'ESP', '-i', 'abcd1234']);
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
      for (const [image, at] of [
        [esp, MiB],
        [root, 9 * MiB],
      ] as const) {
        const bytes = await readFile(image);
        await file.write(bytes, 0, bytes.length, at);
      }
    }
    await using opened = await openRawDisk(disk);
    const volumes = await listVolumes(opened);
    assert.deepEqual(
      volumes.map(({ number, kind }) => [number, kind]),
      [
        [1, 'fat'],
        [2, 'ext4'],
      ],
    );
    await using system = await (await chooseVolume(volumes)).open();
    assert.equal((await contentOf(system, '/etc/hostname')).toString(), 'otter\n');
    for (const wanted of ['1', 'ESP', 'ABCD-1234', 'abcd-1234']) {
      await using loader = await (await chooseVolume(volumes, wanted)).open();
      assert.equal((await loader.lookup('/efi/boot/bootx64.efi')).size, LOADER.length);
    }
    await using loader = await (await chooseVolume(volumes, '1')).open();
    assert.ok((await contentOf(loader, '/EFI/BOOT/BOOTX64.EFI')).equals(LOADER));
    const [extent] = await Array.fromAsync(
      loader.extents?.(await loader.lookup('/EFI/BOOT/BOOTX64.EFI')) ?? [],
    );
    const there = Buffer.alloc(100);
    await opened.read(there, extent?.diskOffset ?? 0);
    assert.ok(there.equals(LOADER.subarray(0, 100)));
  });
}
