import { linkSync } from 'node:fs';
import { mkdir, open, symlink, truncate, writeFile } from 'node:fs/promises';
import { succeed } from './programs.ts';
import { noise } from './store-scene.ts';

/** Makes a file system in a file by `mke2fs` with these options. */
export async function makeExtImage(image: string, size: number, options: readonly string[]): Promise<void> {
  await writeFile(image, '');
  await truncate(image, size);
  // Without a fixed UUID and seed of hashes a failure could not be seen again.
  const fixed = [
    '-U',
    '01234567-89ab-cdef-0123-456789abcdef',
    '-E',
    'hash_seed=01234567-89ab-cdef-0123-456789abcdef',
  ];
  await succeed('mke2fs', ['-q', '-F', ...fixed, ...options, image]);
}

/** Mounts an image at a folder for the time of the action. Takes root. */
export async function whileMounted<Result>(
  image: string,
  folder: string,
  options: string,
  action: () => Promise<Result>,
): Promise<Result> {
  await mkdir(folder, { recursive: true });
  await succeed('mount', ['-o', `loop,${options}`, image, folder]);
  try {
    return await action();
  } finally {
    await succeed('umount', [folder]);
  }
}

/** What Node has no call for. ext2 and ext3 have no unwritten blocks. */
const FURTHER = `
fallocate -l 300000 unwritten || true
mknod character c 5 1
mknod block b 259 70000
mknod fifo p
chown 70000:80000 bytes-1
chmod 6754 bytes-59
touch -h -d '2040-02-03 04:05:06.123456789' bytes-60
touch -d '1950-01-02 03:04:05.987654321' bytes-61
setfattr -n user.short -v 'a value' bytes-1023
setfattr -n user.none bytes-1023
setfattr -n user.block -v ${'v'.repeat(600)} bytes-1024
setfacl -m u:1000:r--,u:70000:rwx,g:12:-wx deep
`;

/** Fills a folder with files of every kind, names of any bytes, attributes, and content that is mapped in every way. */
export async function fillFolder(
  folder: string,
  options: { readonly names: number; readonly largeAttributes?: boolean },
): Promise<void> {
  const at = (name: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
  await writeFile(at('empty'), '');
  for (const size of [1, 59, 60, 61, 100, 160, 1023, 1024, 4097, 70_000]) {
    await writeFile(at(`bytes-${size}`), noise(size, size));
  }
  await writeFile(at(Buffer.from([0x6e, 0xff, 0x0a, 0x09, 0x20, 0xe9])), 'neither UTF-8 nor printable');
  await writeFile(at('ünïcode ☃'), 'UTF-8');
  await writeFile(at('n'.repeat(255)), 'a long name');
  for (const length of [1, 59, 60, 200, 1000]) await symlink('t'.repeat(length), at(`link-${length}`));
  await mkdir(at('deep/er/and/deeper'), { recursive: true });
  await symlink('../../er/./and', at('deep/er/sideways'));
  await writeFile(at('deep/er/and/deeper/file'), 'found');
  await mkdir(at('small'));
  for (let index = 0; index < 3; index += 1) await writeFile(at(`small/${index}`), '');
  await mkdir(at('many'));
  // Hard links: a name takes no inode. ext2 and ext3 give one file at most 32,000 names.
  for (let index = 0; index < options.names; index += 1) {
    const file = at(`many/file-${Math.floor(index / 20_000)}`);
    if (index % 20_000 === 0) await writeFile(file, '');
    linkSync(file, at(`many/name-${String(index).padStart(5, '0')}-${'x'.repeat(index % 40)}`));
  }
  await writeScattered(at('scattered').toString(), 1024, 8192, 300);
  await writeScattered(at('sparse').toString(), 4096, 24 << 20, 12);
  await succeed('/bin/bash', ['-ec', FURTHER], { cwd: folder });
  if (options.largeAttributes === true) {
    await succeed('setfattr', ['-n', 'user.large', '-v', 'w'.repeat(30_000), `${folder}/bytes-4097`]);
  }
}

/** Writes a few bytes at every `step`, most in an order that makes many small extents. */
async function writeScattered(path: string, length: number, step: number, count: number): Promise<void> {
  await using file = await open(path, 'w');
  for (let index = 0; index < count; index += 1) {
    await file.write(noise(`${path.length} ${index}`, length), 0, length, index * step);
  }
}
