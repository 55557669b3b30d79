import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isZero } from '../../src/bytes/index.ts';
import { MemoryDisk, overlayDisk } from '../../src/disk/index.ts';
import { CalveError } from '../../src/errors/index.ts';
import { chooseVolume, type FileTree, listVolumes, walkTree } from '../../src/guestfs/index.ts';
import { fillFolder, makeExtImage } from '../support/ext-image.ts';
import { run } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { rounds, SEED } from '../support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';

const CASES = rounds(200, 5000);
const MiB = 1 << 20;
/** Milliseconds of processor time: the machine may be busy with other things. */
const LONGEST = 2000;
/** What of a file is read: a mutant may say that it has any size. */
const MOST_READ = MiB / 2;

/** Small file systems whose structures are of every kind, without checksums but one: those would hide what lies behind. */
const KINDS: readonly (readonly string[])[] = [
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

async function makeOriginals(folder: TemporaryFolder): Promise<Original[]> {
  await mkdir(folder.join('source'));
  await fillFolder(folder.join('source'), { names: 40 });
  const originals: Original[] = [];
  for (const [index, options] of KINDS.entries()) {
    const image = folder.join(`image-${index}`);
    await makeExtImage(image, 12 * MiB, ['-m', '0', '-N', '256', '-d', folder.join('source'), ...options]);
    if (options.includes('-J')) {
      const input = 'jo\njw -b 300,301 /dev/zero\njw -r 302\njc\n';
      assert.equal((await run('debugfs', ['-w', '-f', '-', image], { input })).code, 0);
    }
    const bytes = await readFile(image);
    const places: number[] = [];
    for (let at = 0; at + 4 <= bytes.length; at += 4) if (bytes.readUInt32LE(at) !== 0) places.push(at);
    const disk = new MemoryDisk(bytes.length);
    for (let at = 0; at < bytes.length; at += 65_536) {
      const piece = bytes.subarray(at, at + 65_536);
      if (!isZero(piece)) await disk.write(piece, at);
    }
    originals.push({ bytes, disk, places });
  }
  return originals;
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

test(`${CASES} mutated file systems are read, or refused by a typed error`, async (t) => {
  await using folder = await temporaryFolder('calve-fuzz');
  const originals = await makeOriginals(folder);
  let refusals = 0;
  let whole = 0;
  let slowest = 0;
  for (let number = 0; number < CASES; number += 1) {
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
    } catch (error) {
      refuse(error);
    }
    const { user, system } = process.cpuUsage(before);
    slowest = Math.max(slowest, (user + system) / 1000);
    assert.ok((user + system) / 1000 < LONGEST, `${told()}: ${(user + system) / 1000} ms`);
    if (refused) refusals += 1;
    else whole += 1;
  }
  t.diagnostic(`${whole} read whole, ${refusals} with refusals; the slowest took ${Math.round(slowest)} ms`);
  // Mutations that change nothing, or break everything at once, would show little.
  assert.ok(whole > CASES / 20 && refusals > CASES / 20, `${whole} read whole, ${refusals} with refusals`);
});
