import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { COPIED, DamagedImage } from '../../../test/support/damaged-image.ts';
import type { ImageKindName } from '../../../test/support/image-kinds.ts';
import { run } from '../../../test/support/programs.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { damageAtRandom } from '../../../test/support/random-damage.ts';
import { SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { ImageFile } from '../image-file.ts';
import type { CheckFinding } from './finding.ts';
import { type Inspection, inspectImage } from './inspect-image.ts';
import { repairImage } from './repair-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);
const CUTS = Number(process.env['CUTS'] ?? 6);
const maxFindings = 1_000_000;

function inspect(bytes: Uint8Array): Promise<Inspection> {
  return inspectImage(new ImageFile(new CrashStorage('cut', bytes)), { maxFindings });
}

/** What can cost data. COPIED is judged apart from the refcount, by the references that there are. */
interface Dangers {
  /** Clusters in use that could be given away, and other damage, each by its kind and place. */
  readonly damage: ReadonlySet<string>;
  /** Entries of the active disk that say that a cluster is nobody else's, and it is. */
  readonly falseCopied: ReadonlySet<number>;
}

async function dangersOf(bytes: Buffer): Promise<Dangers> {
  const { report, survey } = await inspect(bytes);
  const isDanger = ({ kind, severity }: CheckFinding) => severity === 'corruption' && kind !== 'copied-wrong';
  const place = ({ kind, hostOffset, guestOffset }: CheckFinding) => `${kind} ${hostOffset} ${guestOffset}`;
  const damage = new Set(report.findings.filter(isDanger).map(place));
  return { damage, falseCopied: falseCopied(bytes, survey) };
}

/** Counts references to clusters with plain entries alone, by the specification, and finds flags that are a lie. */
function falseCopied(bytes: Buffer, { header, geometry, l2 }: Inspection['survey']): Set<number> {
  const references = new Map<bigint, number>();
  const flags: { readonly at: number; readonly cluster: bigint }[] = [];
  l2.followed.forEach((index, position) => {
    const table = l2.followedOffsets[position] ?? 0;
    for (
      let at = table;
      at + 8 <= Math.min(table + header.clusterSize, bytes.length);
      at += geometry.entryBytes
    ) {
      const entry = bytes.readBigUInt64BE(at);
      const cluster = entry & 0x00ff_ffff_ffff_fe00n;
      if ((entry & (1n << 62n)) !== 0n || cluster === 0n) continue;
      references.set(cluster, (references.get(cluster) ?? 0) + (l2.times[index] ?? 0));
      if (l2.activeTimes(index) > 0 && entry >= COPIED) flags.push({ at, cluster });
    }
  });
  return new Set(flags.filter(({ cluster }) => (references.get(cluster) ?? 0) > 1).map(({ at }) => at));
}

function assertSubset<Item>(part: ReadonlySet<Item>, whole: ReadonlySet<Item>, what: string): void {
  for (const item of part) assert.ok(whole.has(item), `${what}: ${item}`);
}

/** Repairs an image, and looks at what a crash at many moments leaves of it. */
async function repairAndCut(
  bytes: Buffer,
  repair: 'leaks' | 'all',
  seed: number,
  what: string,
): Promise<void> {
  const random = seededRandom(seed);
  const storage = new CrashStorage('image', bytes);
  const before = await dangersOf(bytes);
  const done = await repairImage(new ImageFile(storage), { repair, maxFindings });
  if (storage.clock === 0) return;
  const finished = Buffer.from(storage.content);
  for (let cut = 0; cut < CUTS; cut += 1) {
    const moment = Math.floor(random() * (storage.clock + 1));
    const survive = [0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0;
    const content = storage.after(moment, () => random() < survive);
    const where = `${what}, cut at ${moment} of ${storage.clock}, ${survive} survive`;
    const now = await dangersOf(content);
    assertSubset(now.damage, before.damage, where);
    assertSubset(now.falseCopied, before.falseCopied, where);
    // Not in the order of QEMU's counts: what a flag contradicts is another matter than what is lost.
    const file = folder.join('cut.qcow2');
    await writeFile(file, content);
    const checked = await run('qemu-img', ['check', '-f', 'qcow2', file]);
    const told = checked.stderr
      .split('\n')
      .filter((line) => /^ERROR/.test(line) && !line.includes('OFLAG_COPIED'));
    if (before.damage.size === 0) assert.deepEqual(told, [], where);
    const again = new CrashStorage('again', content);
    const finishing = await repairImage(new ImageFile(again), { repair, maxFindings });
    assert.ok(finishing.corruptions <= done.corruptions, `${where}: a second repair cannot finish`);
    if (done.corruptions + done.checkErrors === 0) assert.equal(finishing.leaks, done.leaks, where);
  }
  assertSubset((await dangersOf(finished)).damage, before.damage, what);
}

const damages: readonly [string, ImageKindName, (image: DamagedImage) => void][] = [
  [
    'shared clusters whose refcount is too low, and leaks',
    'clusters of 512 bytes',
    (image) => {
      for (let guest = 2; guest < 40; guest += 1) {
        image.setRefcount(image.dataOffset(guest) / 512, guest % 2 === 0 ? 1 : 7);
      }
    },
  ],
  [
    'flags that are wrong both ways',
    'clusters of 512 bytes',
    (image) => {
      for (let guest = 0; guest < 40; guest += 1)
        image.change(image.l2Entry(guest), (entry) => entry ^ COPIED);
    },
  ],
  [
    'two guest clusters in one, many times over',
    'refcounts of 64 bits',
    (image) => {
      for (let guest = 0; guest < 40; guest += 2) {
        image.set(image.l2Entry(guest), image.get(image.l2Entry(guest + 1)));
      }
    },
  ],
  [
    'entries that lead nowhere',
    'clusters of 512 bytes',
    (image) => {
      for (let guest = 0; guest < 12; guest += 4) image.set(image.l2Entry(guest), 2n ** 40n);
      image.change(image.l1Entry(0), (entry) => entry | 1n);
    },
  ],
  [
    'entries that lead to the middle of clusters',
    'refcounts of 4 bits',
    (image) => {
      for (let guest = 0; guest < 8; guest += 3) image.change(image.l2Entry(guest), (entry) => entry | 512n);
    },
  ],
  [
    'no refcount blocks',
    'clusters of 512 bytes',
    (image) => {
      for (let index = 0; index < 3; index += 1) image.set(image.refcountTableEntry(index), 0n);
    },
  ],
  [
    'a refcount block where guest data lies, and leaks',
    'refcounts of 64 bits',
    (image) => image.set(image.refcountTableEntry(1), BigInt(image.dataOffset(2))),
  ],
];

/** A file that notes what is written where, and when it is made durable. */
class NotingStorage extends CrashStorage {
  readonly notes: string[] = [];
  readonly #kindOf: (offset: number) => string;

  constructor(bytes: Uint8Array, kindOf: (offset: number) => string) {
    super('noted', bytes);
    this.#kindOf = kindOf;
  }

  override write(from: Uint8Array, offset: number): Promise<void> {
    const kind = this.#kindOf(offset);
    if (this.notes.at(-1) !== kind) this.notes.push(kind);
    return super.write(from, offset);
  }

  override datasync(): Promise<void> {
    this.notes.push('durable');
    return super.datasync();
  }
}

describe('the steps of a repair', () => {
  it('are durable one after the other', async () => {
    const path = await images.damaged('snapshots', (image) => {
      image.change(image.l2Entry(80), (entry) => entry | COPIED);
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 1);
      image.change(image.l2Entry(1), (entry) => entry | COPIED);
      image.setRefcount(image.dataOffset(0) / image.clusterSize, 2);
      image.change(image.l2Entry(0), (entry) => entry & ~COPIED);
      image.change(72, (bits) => bits | 2n);
    });
    const image = await DamagedImage.open(path);
    const block = image.offset(image.refcountTableEntry(0));
    const storage = new NotingStorage(image.bytes, (offset) => {
      if (offset === 0) return 'header';
      return offset >= block && offset < block + image.clusterSize ? 'refcounts' : 'tables';
    });
    const { corruptions, leaks } = await repairImage(new ImageFile(storage), { repair: 'all' });
    assert.equal(corruptions + leaks, 0);
    const steps = ['tables', 'refcounts', 'tables', 'refcounts', 'tables', 'header'];
    assert.deepEqual(
      storage.notes,
      steps.flatMap((step) => [step, 'durable']),
    );
  });
});

describe('a crash in the middle of a repair leaves nothing worse than leaks, or than what there was', () => {
  for (const [name, kind, damage] of damages) {
    for (const repair of ['all', 'leaks'] as const) {
      it(`${name} (${repair})`, async () => {
        const path = await images.damaged(kind, damage);
        await repairAndCut(await readFile(path), repair, name.length, name);
      });
    }
  }

  for (const kind of ['clusters of 512 bytes', 'refcounts of 1 bit', 'refcounts of 64 bits'] as const) {
    it(`${kind}: damage at random`, async () => {
      const random = seededRandom(kind.length * 31 + Number(process.env['SEED'] ?? 1));
      for (let round = 0; round < CUTS; round += 1) {
        const path = await images.damaged(kind, (image) => damageAtRandom(image, random));
        await repairAndCut(await readFile(path), round % 4 === 0 ? 'leaks' : 'all', round, `round ${round}`);
      }
    });
  }
});
