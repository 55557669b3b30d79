import assert from 'node:assert/strict';
import { type Disk, MemoryDisk } from '../../src/disk/index.ts';
import { CalveError } from '../../src/errors/index.ts';
import { Chain } from '../../src/qcow2/chain.ts';
import { type InspectOptions, inspectImage } from '../../src/qcow2/check/inspect-image.ts';
import { repairImage } from '../../src/qcow2/check/repair-image.ts';
import { ImageFile } from '../../src/qcow2/image-file.ts';
import { type CheckReport, type FindingKind, type Qcow2Disk, readHeader } from '../../src/qcow2/index.ts';
import { openImage } from '../../src/qcow2/open-image.ts';
import { PASSPHRASE } from './corpus.ts';
import { ForkedStorage } from './forked-storage.ts';

/** What came of using an image. An error here is a typed one: any other is thrown. */
export interface Use {
  /** Undefined when the header makes no image. */
  readonly report: CheckReport | undefined;
  readonly opened: boolean;
  readonly written: boolean;
}

/** The most of a disk that is read or listed: mutants claim sizes that no test can wait for. */
const MOST_READ = 2 << 20;
const MOST_EXTENTS = 10_000;
const TANGLES: readonly FindingKind[] = ['overlap', 'refcount-block-shared'];
const BAD_ENTRIES: readonly FindingKind[] = [
  'past-end',
  'l2-reserved-bits',
  'cluster-unaligned',
  'compressed-copied',
];
const FEW = 8;
const INSPECT: InspectOptions = { maxFindings: 2000 };
/** The work that a LUKS header can ask for is bounded by the caller; a second of it would be no hang. */
const ENCRYPTION = { maxIterations: 20_000 };

/** Does with an image all that calve can do with one; what it must not do, it is told by an assertion. */
export async function useImage(bytes: Uint8Array): Promise<Use> {
  const file = () => new ForkedStorage('mutant.qcow2', bytes);
  const opened = await attempt('reading', () => readAll(file()));
  const report = await attempt('the check', () => inspect(file()));
  const target = file();
  const sound = report !== undefined && isSound(report);
  const written = await attempt('writing', () => writeSome(target, sound));
  if (written?.keepsAll && sound) {
    // Refcounts of clusters behind the end of the file are nothing to a check, and leaks once the file has grown.
    const { corruptions, checkErrors, findings } = await inspect(target);
    const worst = findings.find(({ severity }) => severity === 'corruption');
    assert.equal(corruptions + checkErrors, 0, `writing damaged a sound image: ${JSON.stringify(worst)}`);
  }
  if (!sound) await attempt('the repair', () => repair(file()));
  return { report, opened: opened !== undefined, written: written !== undefined };
}

/** What an action leads to; undefined after a typed error. */
async function attempt<Result>(what: string, action: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await action();
  } catch (cause) {
    if (CalveError.is(cause)) return undefined;
    throw new Error(`${what}: ${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`, { cause });
  }
}

async function open(storage: ForkedStorage, writable: boolean): Promise<Qcow2Disk> {
  return openImage(storage, {
    writable,
    chain: Chain.begin({ tableBytes: 1 << 20, clusterBytes: 4 << 20 }),
    encryption: { ...ENCRYPTION, passphrase: Buffer.from(PASSPHRASE) },
    openBacking: async ({ backingFile }) => (backingFile === undefined ? null : base()),
    dataFile: async () => new ForkedStorage('data.raw', DATA_FILE),
  });
}

/** What is written into mutants. */
const DATA = Buffer.alloc(700, 0x77);
/** What mutants are based on. */
const BASE = Buffer.alloc(150_016, 0xb5);

/** Where the guest data of mutants with a data file lies. */
const DATA_FILE = Buffer.alloc(256 * 1024, 0xda);

async function base(): Promise<Disk> {
  const disk = new MemoryDisk(BASE.length);
  await disk.write(BASE, 0);
  return disk;
}

/** What cannot be read ends neither the reading of the rest nor the listing. */
async function readAll(storage: ForkedStorage): Promise<true> {
  await using disk = await open(storage, false);
  const piece = Buffer.alloc(64 * 1024);
  for (let at = 0; at < Math.min(disk.size, MOST_READ); at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, disk.size - at));
    const done = await attempt(
      'a read',
      async () => disk.tryRead(part, at) || disk.read(part, at).then(() => true),
    );
    if (!done) await attempt('a read', () => disk.read(part.subarray(0, 512), at));
  }
  if (disk.size > MOST_READ)
    await attempt('the last read', () => disk.read(piece.subarray(0, 512), disk.size - 512));
  await attempt('the extents', () => listExtents(disk));
  return true;
}

async function listExtents(disk: Qcow2Disk): Promise<void> {
  let listed = 0;
  let end = 0;
  for await (const { offset, length } of disk.extents(0, disk.size)) {
    assert.equal(offset, end, 'extents leave a gap');
    assert.ok(length > 0, 'an empty extent');
    end += length;
    listed += 1;
    if (listed === MOST_EXTENTS) return;
  }
  assert.equal(end, disk.size, 'extents end early');
}

interface Written {
  /** No autoclear bit said of clusters what they are for, and was cleared (trap 4): those are leaks from then on. */
  readonly keepsAll: boolean;
}

/** Where refcounts are wrong, a cluster may be given away twice, and what was written then reads otherwise. */
async function writeSome(storage: ForkedStorage, sound: boolean): Promise<Written> {
  const { autoclear } = await readHeader(storage);
  const disk = await open(storage, true);
  try {
    const end = disk.size;
    const places = [0, 4096 * 3 + 100, 100 * 1024, 104 * 1024 + 512, end - DATA.length].filter(
      (at) => at >= 0 && at + DATA.length <= end,
    );
    for (const at of places) {
      const done = await attempt('a write', () => disk.write(DATA, at).then(() => true));
      if (!done || !sound) continue;
      const read = Buffer.alloc(DATA.length);
      await disk.read(read, at);
      assert.ok(read.equals(DATA), `what was written at ${at} reads otherwise`);
    }
    await attempt('zeroes', () => disk.writeZeroes(0, Math.min(9000, end)));
    await attempt('a discard', () =>
      disk.discard(Math.min(16_384, end), Math.min(16_384, end - Math.min(16_384, end))),
    );
    await disk.flush();
  } finally {
    await disk.close();
  }
  return { keepsAll: autoclear.size === 0 };
}

async function inspect(storage: ForkedStorage): Promise<CheckReport> {
  return (await inspectImage(new ImageFile(storage), INSPECT)).report;
}

async function repair(storage: ForkedStorage): Promise<void> {
  const { before, corruptions, leaks, checkErrors } = await repairImage(new ImageFile(storage), {
    repair: 'all',
    ...INSPECT,
  });
  // Where refcounts could not be read, nothing could be said of the flags that they are compared with.
  const [wrongBefore, wrong] = [before.corruptions + before.checkErrors, corruptions + checkErrors];
  assert.ok(
    wrong <= wrongBefore || isLeftAlone(before) || isLeftAlone(await inspect(storage)),
    `a repair made ${wrong} corruptions and errors of ${wrongBefore}`,
  );
  const again = await inspect(storage);
  assert.deepEqual(
    [again.corruptions, again.leaks, again.checkErrors],
    [corruptions, leaks, checkErrors],
    'a check after the repair counts otherwise',
  );
}

/**
 * Whether a repair leaves some damage as it is, and may change how it counts. Where one structure lies on another, mending
 * the one changes what the other says. And a table whose entries are mostly bad may be no table.
 */
function isLeftAlone({ findings, findingsLeftOut }: CheckReport): boolean {
  const count = (kinds: readonly FindingKind[]) => findings.filter(({ kind }) => kinds.includes(kind)).length;
  return findingsLeftOut > 0 || count(TANGLES) > 0 || count(BAD_ENTRIES) > FEW;
}

function isSound({ corruptions, leaks, checkErrors, findings }: CheckReport): boolean {
  return corruptions + leaks + checkErrors === 0 && findings.length === 0;
}
