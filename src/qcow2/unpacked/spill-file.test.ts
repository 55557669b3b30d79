import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type HostFile, openFile, openScratchFile } from '../../host/index.ts';
import { type Spilled, SpillFile } from './spill-file.ts';

const KIB = 1024;
const nothing = (): void => {};

/** A spill file that is open, and the file under it. */
async function opened(
  limit: number,
  openBelow: () => Promise<HostFile | undefined> = () => openScratchFile(1),
): Promise<{ spill: SpillFile; user: object; below: HostFile; opens: () => number }> {
  let below: HostFile | undefined;
  let opens = 0;
  const spill = new SpillFile(limit, async () => {
    opens += 1;
    below = await openBelow();
    return below;
  });
  const user = {};
  assert.equal(spill.add(user, Buffer.alloc(KIB), nothing), undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(below);
  return { spill, user, below, opens: () => opens };
}

/** Adds until it is taken: a machine that is busy just then makes the file look slow. */
function add(spill: SpillFile, user: object, cluster: Uint8Array, forget: () => void = nothing): Spilled {
  for (let tries = 0; tries < 100_000; tries += 1) {
    const spilled = spill.add(user, cluster, forget);
    if (spilled) return spilled;
  }
  throw new Error('never taken');
}

async function contents(spill: SpillFile, spilled: Spilled): Promise<Buffer | undefined> {
  const into = Buffer.alloc(spilled.length);
  return (await spill.read(spilled, into, 0)) ? into : undefined;
}

describe('a spill file', () => {
  it('gives any part of a cluster back, at once and by waiting', async () => {
    const { spill, user } = await opened(64 * KIB);
    const cluster = Buffer.from(Array.from({ length: 4 * KIB }, (_, at) => at % 251));
    add(spill, user, Buffer.alloc(KIB));
    const spilled = add(spill, user, cluster);
    const part = Buffer.alloc(100);
    assert.ok(spill.tryRead(spilled, part, 3000));
    assert.deepEqual(part, cluster.subarray(3000, 3100));
    assert.deepEqual(await contents(spill, spilled), cluster);
    await spill.leave(user);
  });

  it('lets the oldest go when it is full, one in sixteen times, and takes no more room than it may', async () => {
    const { spill, user, below } = await opened(4 * KIB);
    const forgotten: number[] = [];
    const kept = [0, 1, 2, 3].map((at) => add(spill, user, Buffer.alloc(KIB, at), () => forgotten.push(at)));
    const taken = Array.from({ length: 64 }, () => spill.add(user, Buffer.alloc(KIB, 9), nothing));
    assert.ok(taken.filter((each) => each !== undefined).length <= 4);
    const latest = add(spill, user, Buffer.alloc(KIB, 10));
    assert.equal(forgotten[0], 0);
    assert.ok(kept[0]?.gone);
    assert.deepEqual(await contents(spill, latest), Buffer.alloc(KIB, 10));
    assert.ok(below.stat().size <= 4 * KIB);
    await spill.leave(user);
  });

  it('never gives back other bytes than those of the cluster, whatever the sizes', async () => {
    const limit = 100_000;
    const { spill, user, below } = await opened(limit);
    const live = new Map<Spilled, number>();
    let [seed, replaced] = [1, 0];
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let turn = 0; turn < 20_000; turn += 1) {
      const cluster = Buffer.alloc(512 << random(7), turn % 256);
      const spilled: Spilled | undefined = spill.add(user, cluster, () => {
        replaced += 1;
        assert.ok(spilled && live.delete(spilled));
      });
      if (spilled) live.set(spilled, turn % 256);
      // Somebody wrote other compressed data there.
      const [first] = live.keys();
      if (first && random(20) === 0) {
        first.gone = true;
        live.delete(first);
      }
      if (turn % 100 !== 0) continue;
      for (const [each, fill] of live) {
        assert.deepEqual(await contents(spill, each), Buffer.alloc(each.length, fill));
      }
    }
    assert.ok(replaced > 50 && below.stat().size <= limit);
    await spill.leave(user);
  });

  it('does not give back a cluster that went while it was read', async () => {
    const { spill, user } = await opened(64 * KIB);
    const spilled = add(spill, user, Buffer.alloc(KIB, 1));
    const reading = contents(spill, spilled);
    spilled.gone = true;
    assert.equal(await reading, undefined);
    await spill.leave(user);
  });

  it('goes with the last user, and is made anew for the next', async () => {
    const { spill, user, below, opens } = await opened(64 * KIB);
    const other = {};
    let forgotten = 0;
    const spilled = add(spill, user, Buffer.alloc(KIB), () => (forgotten += 1));
    add(spill, other, Buffer.alloc(KIB), () => (forgotten += 1));
    await spill.leave(user);
    await spill.leave(user);
    assert.ok(!below.closed);
    await spill.leave(other);
    assert.ok(below.closed);
    assert.equal(forgotten, 2);
    assert.equal(await contents(spill, spilled), undefined);
    spill.add(user, Buffer.alloc(KIB), nothing);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(opens(), 2);
    await spill.leave(user);
  });

  it('is left alone once it cannot be opened, read or written', async () => {
    const refusing = new SpillFile(64 * KIB, async () => {
      throw new Error('no such folder');
    });
    const noRoom = new SpillFile(64 * KIB, async () => undefined);
    for (const spill of [refusing, noRoom]) {
      for (let tries = 0; tries < 3; tries += 1) {
        assert.equal(spill.add(spill, Buffer.alloc(KIB), nothing), undefined);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await spill.leave(spill);
    }
    await using folder = await temporaryFolder();
    await (await openFile(folder.join('file'), { create: true })).close();
    const readOnly = await opened(64 * KIB, () => openFile(folder.join('file')));
    assert.equal(readOnly.spill.add(readOnly.user, Buffer.alloc(KIB), nothing), undefined);
    assert.ok(readOnly.below.closed);
    const broken = await opened(64 * KIB);
    let forgotten = 0;
    const spilled = add(broken.spill, broken.user, Buffer.alloc(KIB), () => (forgotten += 1));
    await broken.below.close();
    assert.ok(!broken.spill.tryRead(spilled, Buffer.alloc(10), 0));
    assert.equal(forgotten, 1);
    for (const { spill, user } of [readOnly, broken]) {
      assert.equal(spill.add(user, Buffer.alloc(KIB), nothing), undefined);
      await spill.leave(user);
    }
  });
});
