import { randomInt } from 'node:crypto';
import { cp, link, mkdir, open, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { succeed } from './programs.ts';
import { noise } from './store-scene.ts';
import type { TemporaryFolder } from './temporary.ts';
import { factsOfFolder, type TreeFacts } from './tree-facts.ts';

const MiB = 1 << 20;
/** `mkfs.xfs` makes none that is smaller. */
const XFS_SIZE = 300 * MiB;
const BTRFS_SIZE = 110 * MiB;
const EXTENT = 4 * MiB;

/** Names that a list of guestfish cannot hold, or only in one way. */
export const ODD_NAMES: readonly string[] = [
  'a\nb',
  "it's",
  'back\\',
  '"{x,y}" | $(true)',
  '\xff\xfe',
  '-l',
  '~',
  '#',
  ' ',
  '\\\'"\x01\x7f',
];

/** A disk with file systems that calve does not read itself, and what the kernel showed of each when it was made. */
export interface LibguestfsDisk {
  readonly path: string;
  /** By the name of the volume. */
  readonly facts: Readonly<Record<'1' | '2' | '3' | 'group/whole' | 'group/pieces', TreeFacts>>;
}

/**
 * Makes a disk: 1 XFS, 2 the same XFS after some changes, 3 btrfs with two subvolumes, 4 LVM with an ext4 that lies in one piece
 * and one that lies in two. Each is mounted, which takes root.
 */
export async function makeLibguestfsDisk(folder: TemporaryFolder): Promise<LibguestfsDisk> {
  const mounted = folder.join('mounted');
  await mkdir(mounted);
  const image = async (
    name: string,
    size: number,
    make: (path: string) => Promise<unknown>,
  ): Promise<string> => {
    const path = folder.join(name);
    await writeFile(path, '');
    await truncate(path, size);
    await make(path);
    return path;
  };
  const change = async (
    path: string,
    options: string,
    action: () => Promise<unknown>,
  ): Promise<TreeFacts> => {
    await succeed('mount', ['-o', `loop,${options}`, path, mounted]);
    try {
      await action();
      return asAnyoneTells(await factsOfFolder(mounted, { crtime: false }));
    } finally {
      await succeed('umount', [mounted]);
    }
  };
  const old = await image('xfs', XFS_SIZE, (path) => succeed('mkfs.xfs', ['-q', '-L', 'data', path]));
  const facts1 = await change(old, 'noatime', () => fill(mounted));
  const now = folder.join('xfs-2');
  await succeed('cp', ['--sparse=always', old, now]);
  const facts2 = await change(now, 'noatime', () => alter(mounted));
  const btrfs = await image('btrfs', BTRFS_SIZE, (path) => succeed('mkfs.btrfs', ['-q', path]));
  const facts3 = await change(btrfs, 'noatime', async () => {
    for (const name of ['sub', 'sub2']) {
      await succeed('btrfs', ['subvolume', 'create', `${mounted}/${name}`]);
      await writeFile(`${mounted}/${name}/inner`, name);
    }
    await writeFile(`${mounted}/large`, noise('large', 3 * MiB));
  });
  const ext = async (name: string): Promise<readonly [string, TreeFacts]> => {
    const path = await image(name, 2 * EXTENT, (at) =>
      succeed('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', name, at]),
    );
    return [path, await change(path, 'noatime', () => writeFile(`${mounted}/which`, name))];
  };
  const [whole, factsWhole] = await ext('whole');
  const [pieces, factsPieces] = await ext('pieces');
  const lvm = await image('lvm', 8 * EXTENT, makeVolumeGroup);
  await place(lvm, whole, MiB);
  const halves = await readFile(pieces);
  await writeAt(lvm, halves.subarray(0, EXTENT), MiB + 4 * EXTENT);
  await writeAt(lvm, halves.subarray(EXTENT), MiB + 2 * EXTENT);
  const path = folder.join('disk');
  await writeFile(path, '');
  let at = MiB;
  const options: string[] = [];
  const places: [string, number][] = [];
  for (const [part, size] of [
    [old, XFS_SIZE],
    [now, XFS_SIZE],
    [btrfs, BTRFS_SIZE],
    [lvm, 8 * EXTENT],
  ] as const) {
    const number = places.push([part, at]);
    options.push(
      '-n',
      `${number}:${at / 512}:+${size / 1024}K`,
      ...(part === lvm ? ['-t', `${number}:8e00`] : []),
    );
    at += size;
  }
  await truncate(path, at + MiB);
  await succeed('sgdisk', [...options, path]);
  for (const [part, offset] of places) await place(path, part, offset);
  return {
    path,
    facts: { 1: facts1, 2: facts2, 3: facts3, 'group/whole': factsWhole, 'group/pieces': factsPieces },
  };
}

async function fill(root: string): Promise<void> {
  await mkdir(`${root}/deep/er`, { recursive: true });
  await mkdir(`${root}/etc`);
  await mkdir(`${root}/usr`);
  await writeFile(`${root}/etc/passwd`, 'root\n');
  await link(`${root}/etc/passwd`, `${root}/deep/linked`);
  await symlink('../../etc/passwd', `${root}/deep/er/link`);
  await symlink('line\nend\n', `${root}/odd-link`);
  await writeFile(`${root}/large`, noise('large', 5 * MiB + 7));
  await writeFile(`${root}/empty`, '');
  for (let at = 0; at < 40; at += 1) await writeFile(`${root}/deep/${at} ${'x'.repeat(200)}`, String(at));
  for (const name of ODD_NAMES) await writeFile(Buffer.from(`${root}/${name}`, 'latin1'), name);
  await truncate(`${root}/sparse`, 0).catch(() => writeFile(`${root}/sparse`, ''));
  await truncate(`${root}/sparse`, 4 * MiB);
  await writeAt(`${root}/sparse`, Buffer.from('in the middle'), 2 * MiB);
  await succeed('mknod', ['-m', '0640', `${root}/device`, 'c', '259', '74565']);
  await succeed('mkfifo', [`${root}/fifo`]);
  await succeed('setfattr', ['-n', 'user.note', '-v', '0x6100ff', `${root}/etc/passwd`]);
  await succeed('setfattr', ['-n', 'user.other', '-v', 'text', `${root}/back\\`]);
  await succeed('setfacl', ['-m', 'u:1000:r,g:7:rw', `${root}/etc/passwd`]);
  await succeed('chown', ['1000:1001', `${root}/empty`]);
  await succeed('chmod', ['4750', `${root}/large`]);
  await succeed('touch', ['-h', '-d', '1969-12-31 23:59:58.5 UTC', `${root}/fifo`]);
}

async function alter(root: string): Promise<void> {
  await writeFile(`${root}/etc/passwd`, 'root\nmore\n');
  await cp(`${root}/empty`, `${root}/new`);
  await succeed('rm', [`${root}/it's`]);
  await succeed('chmod', ['0600', `${root}/empty`]);
  // The same size, and a time that was put back.
  await writeAt(`${root}/large`, Buffer.from('changed'), 3 * MiB);
  await succeed('touch', ['-r', `${root}/sparse`, `${root}/large`]);
}

/** A group of two volumes by LVM's own programs; no kernel need know of it. */
async function makeVolumeGroup(path: string): Promise<void> {
  const id = (): string => [6, 4, 4, 4, 4, 4, 6].map((length) => letters(length)).join('-');
  const physical = id();
  const segment = (number: number, start: number, count: number, at: number): string =>
    `segment${number} { start_extent = ${start} extent_count = ${count} type = "striped" stripe_count = 1 stripes = ["pv0", ${at}] }`;
  const volume = (name: string, segments: readonly string[]): string =>
    `${name} { id = "${id()}" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = ${segments.length} ${segments.join('\n')} }`;
  const text = `contents = "Text Format Volume Group"
version = 1
group {
id = "${id()}" seqno = 1 format = "lvm2" status = ["RESIZEABLE", "READ", "WRITE"] flags = []
extent_size = ${EXTENT / 512} max_lv = 0 max_pv = 0 metadata_copies = 0
physical_volumes { pv0 { id = "${physical}" device = "unknown" status = ["ALLOCATABLE"] flags = [] dev_size = ${(8 * EXTENT) / 512} pe_start = 2048 pe_count = 7 } }
logical_volumes {
${volume('whole', [segment(1, 0, 2, 0)])}
${volume('pieces', [segment(1, 0, 1, 4), segment(2, 1, 1, 2)])}
}
}
`;
  const backup = `${path}.txt`;
  await writeFile(backup, text);
  const device = (await succeed('losetup', ['-f', '--show', path])).trim();
  try {
    await succeed('pvcreate', ['-y', '-q', '--uuid', physical, '--restorefile', backup, device]);
    await succeed('vgcfgrestore', ['-f', backup, 'group']);
    await succeed('sync', [device]);
  } finally {
    await succeed('losetup', ['-d', device]);
  }
}

function letters(length: number): string {
  return Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyz0123456789'[randomInt(36)]).join('');
}

async function place(disk: string, image: string, offset: number): Promise<void> {
  await succeed('dd', [
    `if=${image}`,
    `of=${disk}`,
    'bs=1M',
    `seek=${offset / MiB}`,
    'conv=notrunc,sparse',
    'status=none',
  ]);
}

async function writeAt(path: string, bytes: Uint8Array, offset: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
}

/** Without what reading the truth changes, and what not every reader tells. */
export function asAnyoneTells(facts: TreeFacts): TreeFacts {
  return Object.fromEntries(
    Object.entries(facts).map(([path, { atime: _, crtime: __, ...rest }]) => [path, rest]),
  );
}
