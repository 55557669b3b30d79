import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { qemuIo } from '../../../test/support/qemu.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { stripExtraData } from '../../../test/support/strip-extra-data.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { MemoryDisk } from '../../disk/index.ts';
import { Chain } from '../chain.ts';
import { inspectImage } from '../check/inspect-image.ts';
import { decodeHeader } from '../header.ts';
import { ImageFile } from '../image-file.ts';
import { openImage } from '../open-image.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { amendImage } from './amend-image.ts';
import type { Amendment } from './amend-options.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// More in a long run: CALVE_CRASH_CUTS=2000 CALVE_CRASH_SEED=7 node --test src/qcow2/amend/amend-crash.test.ts
const { CALVE_CRASH_CUTS = '6', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
/** Every so many cuts QEMU looks as well. */
const QEMU_LOOKS = 3;

const SIZE = 256 * 1024;
await writeFile(folder.join('base'), Buffer.alloc(SIZE, 0xb5));
const BACKED = `backing_file=${folder.join('base')},backing_fmt=raw`;

/** An image as QEMU makes it. Each step is a qemu-io command, or the name of a snapshot behind `@`. */
async function make(options: string, steps: readonly string[]): Promise<string> {
  const path = folder.join('start');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, String(SIZE)]);
  for (const step of steps) {
    if (step.startsWith('@')) await succeed('qemu-img', ['snapshot', '-c', step.slice(1), path]);
    else await qemuIo(path, [step]);
  }
  return path;
}

async function filled(length: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk(length);
  await disk.write(Buffer.alloc(length, 0xb5), 0);
  return disk;
}

/** The active disk and those of all snapshots, as bytes. */
async function disksOf(bytes: Buffer): Promise<Buffer[]> {
  const disks = [await readDisk(bytes)];
  let at = Number(bytes.readBigUInt64BE(64));
  for (let left = bytes.readUInt32BE(60); left > 0; left -= 1) {
    // A snapshot read as if it were the active disk.
    const gone = Buffer.from(bytes);
    bytes.copy(gone, 40, at, at + 8);
    bytes.copy(gone, 36, at + 8, at + 12);
    disks.push(await readDisk(gone));
    const names = bytes.readUInt16BE(at + 12) + bytes.readUInt16BE(at + 14);
    at += Math.ceil((40 + bytes.readUInt32BE(at + 36) + names) / 8) * 8;
  }
  return disks;
}

async function readDisk(bytes: Buffer): Promise<Buffer> {
  await using disk = await openImage(new CrashStorage('read', bytes), {
    writable: false,
    chain: Chain.begin(),
    openBacking: async ({ backingFile }) => (backingFile === undefined ? null : filled(SIZE)),
  });
  const content = Buffer.alloc(disk.size);
  await disk.read(content, 0);
  return content;
}

/** What an amendment changes of a header, but for places. */
function stateOf(header: Qcow2Header): string {
  const { version, refcountBits, backingFile, compatible } = header;
  return JSON.stringify([version, refcountBits, backingFile, [...compatible]]);
}

/** Amends an image, and looks at what a crash at many moments leaves of it. */
async function amendAndCut(image: Buffer, amendment: Amendment, states: number): Promise<void> {
  const random = seededRandom(Number(CALVE_CRASH_SEED));
  const storage = new CrashStorage('image', image);
  const disks = await disksOf(image);
  await amendImage(new ImageFile(storage), amendment);
  const done = stateOf(decodeHeader(storage.content));
  const seen = new Set([stateOf(decodeHeader(image)), done]);
  for (let cut = 0; cut < CUTS; cut += 1) {
    // The last cut is none: all that was done is durable.
    const moment = cut === CUTS - 1 ? storage.clock : Math.floor(random() * (storage.clock + 1));
    const survive = cut === CUTS - 1 ? 0 : ([0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0);
    const content = storage.after(moment, () => random() < survive);
    const where = `cut at ${moment} of ${storage.clock}, ${survive} survive`;
    seen.add(stateOf(decodeHeader(content)));
    await assertSound(content, disks, cut, where);
    const again = new CrashStorage('again', content);
    await amendImage(new ImageFile(again), amendment);
    assert.equal(stateOf(decodeHeader(again.content)), done, where);
    await assertSound(again.content, disks, cut, `${where}, amended again`);
    if (cut < CUTS - 1) continue;
    const { leaks } = (await inspectImage(new ImageFile(new CrashStorage('end', content)))).report;
    assert.deepEqual([stateOf(decodeHeader(content)), leaks], [done, 0]);
  }
  assert.ok(seen.size <= states, [...seen].join());
}

async function assertSound(
  content: Buffer,
  disks: readonly Buffer[],
  cut: number,
  where: string,
): Promise<void> {
  const { report: found } = await inspectImage(new ImageFile(new CrashStorage('cut', content)));
  assert.deepEqual([found.corruptions, found.checkErrors], [0, 0], `${where}: ${found.findings[0]?.kind}`);
  for (const [index, disk] of (await disksOf(content)).entries()) {
    assert.ok(disk.equals(disks[index] ?? Buffer.alloc(0)), `${where}: disk ${index} has changed`);
  }
  if (cut % QEMU_LOOKS > 0) return;
  const file = folder.join('cut.qcow2');
  await writeFile(file, content);
  const checked = await run('qemu-img', ['check', '-f', 'qcow2', file]);
  // 3: clusters leaked, and nothing worse.
  assert.ok(checked.code === 0 || checked.code === 3, `${where}: ${report(checked)}`);
}

const WRITES = ['write -P 1 0 40k', '@s0', 'write -P 2 10k 5k', 'write -z 20k 9k', 'write -P 3 200k 3k'];
const COMPRESSED = ['write -c -P 4 100k 512', 'write -c -P 5 102912 512'];
const ZEROS = ['write -P 7 0 50k', 'write -z 0 8k', 'write -zu 12k 8k', 'write -z 100k 70k'];

describe('trap 34: a crash at any moment of an amendment costs leaks at worst', () => {
  for (const [from, to] of [
    [16, 64],
    [16, 2],
    [64, 1],
    [1, 32],
  ] as const) {
    it(`refcounts of ${from} bits become ${to}`, async () => {
      const options = `cluster_size=512,refcount_bits=${from}`;
      const flat = [...WRITES, ...COMPRESSED].filter((step) => to !== 1 || !/-c|@/.test(step));
      const narrow = flat.filter((step) => (to > 2 && from > 1) || !/-c/.test(step));
      const image = await make(options, from === 1 ? narrow.filter((step) => !step.startsWith('@')) : narrow);
      await amendAndCut(await readFile(image), { refcountBits: to }, 2);
    });
  }

  it('version 3 becomes 2, with nothing below', async () => {
    const image = await make('cluster_size=1k', [...ZEROS, '@s0', 'write -z 16k 20k', '@s1']);
    await amendAndCut(await readFile(image), { version: 2 }, 2);
  });

  it('version 3 becomes 2 over a backing file, in tables that snapshots share', async () => {
    const image = await make(`cluster_size=1k,${BACKED}`, [
      ...ZEROS,
      '@s0',
      '@s1',
      'write -z 16k 60k',
      '@s2',
    ]);
    await amendAndCut(await readFile(image), { version: 2 }, 2);
  });

  it('version 2 becomes 3, with snapshots of old writers', async () => {
    const image = await make('compat=0.10,cluster_size=4k', [...WRITES, '@another']);
    await stripExtraData(image);
    await amendAndCut(await readFile(image), { version: 3 }, 2);
  });

  it('version 2 becomes 3, with narrow refcounts and lazy ones', async () => {
    const image = await make('compat=0.10,cluster_size=512', WRITES);
    const amendment = { version: 3, refcountBits: 2, lazyRefcounts: true } as const;
    await amendAndCut(await readFile(image), amendment, 4);
  });

  it('another backing file', async () => {
    const image = await make(`cluster_size=4k,${BACKED}`, ZEROS);
    await writeFile(folder.join('moved'), Buffer.alloc(SIZE, 0xb5));
    const amendment = { backingFile: folder.join('moved'), backingFormat: 'raw' };
    await amendAndCut(await readFile(image), amendment, 2);
  });
});
