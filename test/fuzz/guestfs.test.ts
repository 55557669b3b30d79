import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  type Disk,
  type MemoryDisk,
  type OverlayDisk,
  overlayDisk,
  sliceDisk,
} from '../../src/disk/index.ts';
import { CalveError } from '../../src/errors/index.ts';
import { writeFat } from '../../src/guestfs/fat/write-fat.ts';
import {
  chooseVolume,
  compareDisks,
  type DiskCompareOptions,
  type FileTree,
  listVolumes,
  walkTree,
} from '../../src/guestfs/index.ts';
import type { TreeChange } from '../../src/guestfs/tree-change.ts';
import { fillFolder, makeExtImage } from '../support/ext-image.ts';
import { makeFatImage, mtools } from '../support/fat-image.ts';
import { memoryImage } from '../support/memory-image.ts';
import { run, succeed } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { rounds, SEED } from '../support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';

const MiB = 1 << 20;
/** Every so many mutants are compared with their originals. */
const COMPARED = 10;
/** Milliseconds of processor time: the machine may be busy with other things. */
const LONGEST = 2000;
/** What of a file is read: a mutant may say that it has any size. */
const MOST_READ = MiB / 2;

/** Small file systems whose structures are of every kind, without checksums but one: those would hide what lies behind. */
const EXT_KINDS: readonly (readonly string[])[] = [
  ['-t', 'ext2', '-b', '1024', '-I', '128'],
  ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,64bit,meta_bg,^resize_inode'],
  ['-t', 'ext4', '-b', '4096', '-I', '512', '-O', '^metadata_csum,inline_data'],
  ['-t', 'ext4', '-b', '1024', '-O', 'metadata_csum'],
  ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum', '-J', 'size=1'],
];

/** An original, and where in it something stands: mutations elsewhere would change nothing but content. */
interface Original {
  readonly bytes: Buffer;
  readonly disk: MemoryDisk;
  readonly places: readonly number[];
}

async function makeExt(folder: TemporaryFolder): Promise<Original[]> {
  await mkdir(folder.join('source'));
  await fillFolder(folder.join('source'), { names: 40 });
  const originals: Original[] = [];
  for (const [index, options] of EXT_KINDS.entries()) {
    const image = folder.join(`image-${index}`);
    await makeExtImage(image, 12 * MiB, ['-m', '0', '-N', '256', '-d', folder.join('source'), ...options]);
    if (options.includes('-J')) {
      const input = 'jo\njw -b 300,301 /dev/zero\njw -r 302\njc\n';
      assert.equal((await run('debugfs', ['-w', '-f', '-', image], { input })).code, 0);
    }
    originals.push(await originalOf(image));
  }
  return originals;
}

/** FAT of every width. */
async function makeFat(folder: TemporaryFolder): Promise<Original[]> {
  await fillPlainly(folder.join('source'));
  const originals: Original[] = [];
  for (const [bits, size] of [
    ['12', MiB],
    ['16', 3 * MiB],
    ['32', 34 * MiB],
  ] as const) {
    const image = folder.join(`image-${bits}`);
    await makeFatImage(image, size, ['-F', bits, '-s', '1', '-n', 'FUZZ']);
    await mtools('mcopy', image, '-s', folder.join('source'), '::');
    originals.push(await originalOf(image));
  }
  return originals;
}

/** Trees with Rock Ridge, deep ones too, with Joliet's names, and with none of these. */
async function makeIso(folder: TemporaryFolder): Promise<Original[]> {
  const source = folder.join('source');
  await fillPlainly(source);
  await mkdir(`${source}/1/2/3/4/5/6/7/8/9`, { recursive: true });
  await writeFile(`${source}/1/2/3/4/5/6/7/8/9/deep`, 'deep');
  const originals: Original[] = [];
  await symlink('../a directory with a long name/./below', `${source}/link`);
  for (const [index, options] of [['-R'], ['-R', '-J'], ['-D', '-J'], ['-D']].entries()) {
    const image = folder.join(`image-${index}.iso`);
    await succeed('genisoimage', ['-quiet', '-no-pad', ...options, '-o', image, source]);
    originals.push(await originalOf(image));
  }
  return originals;
}

/** Names that every file system holds; content that mutations leave alone. */
async function fillPlainly(folder: string): Promise<void> {
  await mkdir(`${folder}/a directory with a long name/below`, { recursive: true });
  for (let index = 0; index < 12; index += 1) {
    await writeFile(`${folder}/file-${'n'.repeat(3 * index)}`, Buffer.alloc(index * 700));
    await writeFile(`${folder}/a directory with a long name/below/F${index}`, String(index));
  }
}

async function originalOf(image: string): Promise<Original> {
  const bytes = await readFile(image);
  const places: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) if (bytes.readUInt32LE(at) !== 0) places.push(at);
  return { bytes, disk: await memoryImage(bytes), places };
}

/** Changes up to eight numbers, most of them in the first MiB, where tables lie. */
function mutate({ bytes, places }: Original, random: () => number): ReadonlyMap<number, Buffer> {
  const below = (end: number): number => Math.floor(random() * end);
  const changed = new Map<number, Buffer>();
  const inTables = places.findIndex((place) => place > MiB);
  for (let left = 1 + below(8); left > 0; left -= 1) {
    const place = places[below(random() < 0.8 && inTables > 0 ? inTables : places.length)] ?? 0;
    const number = Buffer.from(bytes.subarray(place, place + 4));
    const kind = below(4);
    if (kind === 0) number.writeUInt32LE(below(2 ** 32));
    else if (kind === 1) number.writeUInt8(below(256), below(4));
    else if (kind === 2) number.writeUInt32LE((number.readUInt32LE() + (below(2) === 0 ? 1 : -1)) >>> 0);
    // Numbers of others: references that go round in circles.
    else bytes.copy(number, 0, places[below(places.length)] ?? 0);
    changed.set(place, number);
  }
  return changed;
}

/** Reads all that can be read, past errors of single files. */
async function useAll(tree: FileTree, refuse: (error: unknown) => void): Promise<void> {
  const buffer = Buffer.alloc(256 * 1024);
  try {
    for await (const { path, inode } of walkTree(tree, await tree.root(), { recursive: true })) {
      assert.ok(
        !path
          .toString('latin1')
          .split('/')
          .some((name) => ['', '.', '..'].includes(name)),
      );
      try {
        await tree.xattrs(inode);
        if (inode.type === 'symlink') await tree.readLink(inode);
        for (let at = 0; inode.type === 'file' && at < Math.min(inode.size, MOST_READ); ) {
          at += await tree.read(inode, at, buffer);
        }
        if (inode.number % 16 === 0) await tree.lookup(path, { follow: false });
      } catch (error) {
        refuse(error);
      }
    }
  } catch (error) {
    refuse(error);
  }
}

/** Compares a mutant with what it was: what is known ahead of where they differ must not change what is told. */
async function compareBoth(before: Disk, after: Disk, places: readonly number[]): Promise<void> {
  const within = (async function* () {
    for (const offset of places) yield { offset, length: 4 };
  })();
  const told = async (options: DiskCompareOptions): Promise<string[]> =>
    (await Array.fromAsync(compareDisks(before, after, options))).map((each) =>
      each.what === 'file'
        ? `${each.change.kind} ${each.change.path.toString('latin1')} ${each.change.aspects}`
        : each.what,
    );
  const hinted = await told({ within });
  assert.deepEqual(hinted, await told({}));
}

/** Writes into what may be a FAT, past errors of single steps. */
async function writeAll(disk: OverlayDisk, refuse: (error: unknown) => void): Promise<void> {
  const attributes = { mode: 0o644, uid: 0, gid: 0, atime: 0n, mtime: 0n };
  const content = Buffer.alloc(40_000, 0x78);
  const file = (path: string, length: number): TreeChange => ({
    kind: 'file',
    path: Buffer.from(path),
    attributes,
    source: {
      size: length,
      dataRuns: async function* () {
        yield { offset: 0, length };
      },
      read: async (offset, into) => {
        into.set(content.subarray(offset, offset + into.length));
      },
    },
  });
  const changes: TreeChange[] = [
    file('a new file', 40_000),
    file('source/file-nnn', 10),
    { kind: 'directory', path: Buffer.from('source/a directory with a long name/new'), attributes },
    file('source/a directory with a long name/new/file', 3),
    { kind: 'remove', path: Buffer.from('source/a directory with a long name/below/F3') },
  ];
  for (const change of changes) {
    try {
      await writeFat(
        sliceDisk(disk, 0, disk.size, { leaveOpen: true }),
        (async function* () {
          yield change;
        })(),
      );
    } catch (error) {
      refuse(error);
    }
  }
}

interface Suite {
  readonly name: string;
  readonly cases: number;
  readonly make: (folder: TemporaryFolder) => Promise<Original[]>;
  readonly isWritten?: true;
}

const SUITES: readonly Suite[] = [
  { name: 'ext2, ext3 and ext4', cases: rounds(200, 5000), make: makeExt },
  {
    name: 'FAT12, FAT16 and FAT32, which are then written',
    cases: rounds(150, 5000),
    make: makeFat,
    isWritten: true,
  },
  { name: 'ISO 9660', cases: rounds(80, 5000), make: makeIso },
];

for (const { name, cases, make, isWritten } of SUITES) {
  test(`${cases} mutated file systems are read, or refused by a typed error: ${name}`, async (t) => {
    await using folder = await temporaryFolder('calve-fuzz');
    const originals = await make(folder);
    let refusals = 0;
    let whole = 0;
    let slowest = 0;
    for (let number = 0; number < cases; number += 1) {
      const random = seededRandom(Math.imul(SEED, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b));
      const original = originals[number % originals.length];
      assert.ok(original !== undefined);
      const changed = mutate(original, random);
      const told = (): string =>
        `case ${number}, CALVE_SEED=${SEED}: ${[...changed].map(([at, to]) => `${at}: ${to.toString('hex')}`).join(', ')}`;
      let refused = false;
      const refuse = (error: unknown): void => {
        refused = true;
        if (!(error instanceof CalveError))
          assert.fail(`${told()}: ${error instanceof Error ? error.stack : error}`);
      };
      const before = process.cpuUsage();
      await using disk = overlayDisk(original.disk, { leaveOpen: true });
      for (const [at, bytes] of changed) await disk.write(bytes, at);
      try {
        await using tree = await (await chooseVolume(await listVolumes(disk))).open();
        await useAll(tree, refuse);
        if (number % COMPARED === 0) await compareBoth(original.disk, disk, [...changed.keys()]);
      } catch (error) {
        refuse(error);
      }
      if (isWritten) await writeAll(disk, refuse);
      const { user, system } = process.cpuUsage(before);
      slowest = Math.max(slowest, (user + system) / 1000);
      assert.ok((user + system) / 1000 < LONGEST, `${told()}: ${(user + system) / 1000} ms`);
      if (refused) refusals += 1;
      else whole += 1;
    }
    t.diagnostic(
      `${whole} read whole, ${refusals} with refusals; the slowest took ${Math.round(slowest)} ms`,
    );
    // Mutations that change nothing, or break everything at once, would show little.
    assert.ok(whole > cases / 20 && refusals > cases / 20, `${whole} read whole, ${refusals} with refusals`);
  });
}
