import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { refused } from '../../../test/support/refused.ts';
import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { Chain } from '../chain.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import type { Qcow2Disk } from '../index.ts';
import { openImage } from '../open-image.ts';

const { CALVE_HOSTILE_ROUNDS = '80' } = process.env;
const CLUSTER = 1024;
const SIZE = 64 * CLUSTER;

function open(bytes: Uint8Array, writable = true): Promise<Qcow2Disk> {
  const storage = new CrashStorage('hostile.qcow2', bytes);
  return openImage(storage, { writable, chain: Chain.begin(), openBacking: async () => null });
}

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

/** An image with a snapshot `a`, which has an L2 table and clusters of its own, and one of the disk as it is. */
async function sample(): Promise<Buffer> {
  const empty = encodeEmptyImage({ size: SIZE, clusterSize: CLUSTER });
  const storage = new CrashStorage('sample.qcow2', empty);
  const disk = await openImage(storage, {
    writable: true,
    chain: Chain.begin(),
    openBacking: async () => null,
  });
  await disk.write(Buffer.alloc(20 * CLUSTER, 1), 0);
  await disk.createSnapshot({ name: 'a' });
  await disk.write(Buffer.alloc(5 * CLUSTER, 2), 0);
  await disk.createSnapshot({ name: 'b' });
  await disk.close();
  return storage.content;
}

const sound = await sample();

/** Where the structures of the snapshot `a` lie. */
class HostileImage extends DamagedImage {
  constructor() {
    super('hostile.qcow2', Buffer.from(sound));
  }

  get snapshotL1(): number {
    return this.offset(this.snapshotsOffset);
  }

  get snapshotL2(): number {
    return this.offset(this.snapshotL1);
  }
}

const FAR = 2n ** 55n - 1024n;

const damages: readonly [string, RegExp, (image: HostileImage) => void][] = [
  ['an L2 table at no cluster', /L1 entry 0/, (i) => i.change(i.snapshotL1, (entry) => entry + 512n)],
  ['an L2 table behind the file', /L2 table/, (i) => i.set(i.snapshotL1, FAR)],
  ['an L2 table that is the refcount table', /refcount table/, (i) => i.set(i.snapshotL1, BigInt(CLUSTER))],
  ['an L2 table that is an L1 table', /L1 table/, (i) => i.set(i.snapshotL1, BigInt(i.l1Offset))],
  [
    'a cluster that is the snapshot table',
    /snapshot table/,
    (i) => i.set(i.snapshotL2, BigInt(i.snapshotsOffset)),
  ],
  ['a cluster that is the active L2 table', /L2 table/, (i) => i.set(i.snapshotL2, BigInt(i.l2Entry(0)))],
  [
    'a cluster at no cluster',
    /expected a multiple of 1024/,
    (i) => i.change(i.snapshotL2, (entry) => entry + 512n),
  ],
  ['a cluster past all measure', /refcount of 0/, (i) => i.set(i.snapshotL2, FAR)],
  [
    'compressed data past all measure',
    /below 2\^56/,
    (i) => i.set(i.snapshotL2, (1n << 62n) | (2n ** 59n + 5n)),
  ],
  ['compressed data that is the header', /header/, (i) => i.set(i.snapshotL2, 1n << 62n)],
  [
    'a cluster in use that counts as free',
    /refcount of 0/,
    (i) => i.setRefcount(Number(i.get(i.snapshotL2)) / CLUSTER, 0),
  ],
  ['a disk past all measure', /disk/, (i) => i.set(i.snapshotsOffset + 48, 2n ** 52n)],
];

describe('trap 31: tables of a snapshot that cannot be right', () => {
  for (const [name, message, damage] of damages) {
    it(`${name}: refused by name, and nothing changes`, async () => {
      const image = new HostileImage();
      damage(image);
      await using disk = await open(image.bytes);
      const before = await contentOf(disk);
      await refused(disk.applySnapshot('a'), 'corrupt', message);
      await refused(disk.deleteSnapshot('a'), 'corrupt', message);
      assert.ok((await contentOf(disk)).equals(before));
      assert.equal((await disk.snapshots()).length, 2);
      await disk.write(Buffer.alloc(100, 3), 0);
      await disk.applySnapshot('b');
      assert.ok((await contentOf(disk)).equals(before));
      assert.ok(!disk.header.incompatible.has('dirty'));
    });
  }

  it('active tables that cannot be right: no snapshot is made or gone to', async () => {
    const image = new HostileImage();
    image.set(image.l2Entry(7), BigInt(CLUSTER) | (1n << 63n));
    await using disk = await open(image.bytes);
    await refused(disk.createSnapshot({ name: 'c' }), 'corrupt', /refcount table/);
    await refused(disk.applySnapshot('a'), 'corrupt', /refcount table/);
    await disk.write(Buffer.alloc(100, 3), 0);
    assert.equal((await disk.snapshots()).length, 2);
  });

  it('a size of the VM state past all measure', async () => {
    const image = new HostileImage();
    image.set(image.snapshotsOffset + 40, 2n ** 60n);
    await refused(open(image.bytes), 'corrupt', /snapshot 0, vm_state_size: expected at most 2\^53 - 1/);
    await using disk = await open(image.bytes, false);
    await refused(disk.snapshots(), 'corrupt', /vm_state_size/);
    assert.equal((await contentOf(disk))[0], 2);
  });

  it('random damage to a snapshot leads to errors of ours alone', async () => {
    const random = seededRandom(3);
    const below = (end: number) => Math.floor(random() * end);
    let told = 0;
    for (let round = 0; round < Number(CALVE_HOSTILE_ROUNDS); round += 1) {
      const image = new HostileImage();
      const [from, length] = [
        [image.snapshotsOffset, 68],
        [image.snapshotL1, 8],
        [image.snapshotL2, 20 * 8],
      ][below(3)] as [number, number];
      for (let times = 1 + below(2); times > 0; times -= 1) image.bytes[from + below(length)] = below(256);
      try {
        await using disk = await open(image.bytes);
        const name = (await disk.snapshots())[0]?.id ?? '';
        await using view = await disk.openSnapshot(name);
        if (view.size < 2 ** 24) await contentOf(view).catch(mustBeOurs);
        await view.close();
        if (below(2) === 0) await disk.applySnapshot(name);
        else await disk.deleteSnapshot(name);
      } catch (error) {
        told += 1;
        mustBeOurs(error);
      }
    }
    assert.ok(told > 5);
  });
});

function mustBeOurs(error: unknown): void {
  // What using throws when closing fails, too, wraps both.
  if (error instanceof SuppressedError) {
    mustBeOurs(error.error);
    mustBeOurs(error.suppressed);
  } else assert.ok(CalveError.is(error), String(error instanceof Error ? error.stack : error));
}
