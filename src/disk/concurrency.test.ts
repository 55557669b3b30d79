import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cachedDisk,
  type Delay,
  delayedDisk,
  type FaultPlan,
  faultyDisk,
  MemoryDisk,
  overlayDisk,
  type WritableDisk,
} from './index.ts';

const BLOCK = 16;
const SIZE = 3 * BLOCK + 5;
/** What every byte is at first; each write has a value of its own below it. */
const FIRST = 255;

/** A change of a range: what it leaves there, from when to when it was under way, in steps. */
interface Change {
  readonly kind: 'write' | 'writeZeroes' | 'discard';
  readonly offset: number;
  readonly length: number;
  readonly value: number;
  readonly begun: number;
  ended: number;
}

const range = fc.tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: 2 * BLOCK })).map(([offset, length]) => ({
  offset,
  length: Math.min(length, SIZE - offset),
}));

const operations = fc.array(
  fc.record({
    kind: fc.constantFrom('write', 'write', 'read', 'read', 'tryRead', 'writeZeroes', 'discard'),
    range,
    fails: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  }),
  { minLength: 2, maxLength: 12 },
);

/** A disk that waits before and after each operation as a scheduler pleases, and fails as planned. */
function slowDisk(disk: WritableDisk, delay: Delay, plan: FaultPlan): WritableDisk {
  return delayedDisk(delayedDisk(faultyDisk(disk, plan), delay), delay, { effect: 'early' });
}

/**
 * Runs random operations that overtake each other. Each byte read must be one that was there at some time while
 * the read was under way; at the end the wrapper must read as `truth` does.
 */
async function keepsItsWord(
  make: (slow: (disk: WritableDisk) => WritableDisk) => Promise<Made>,
): Promise<void> {
  const property = fc.asyncProperty(fc.scheduler(), operations, async (scheduler, steps) => {
    const failing = new Set(steps.flatMap(({ fails }, index) => (fails ? [index] : [])));
    const plan: FaultPlan = ({ index }) => (failing.has(index) ? { code: 'io', torn: 3 } : undefined);
    const delay = ({ kind }: { kind: string }) => scheduler.schedule(Promise.resolve(), kind);
    const { disk, truth } = await make((below) => slowDisk(below, delay, plan));
    let now = 0;
    const changes: Change[] = [
      { kind: 'write', offset: 0, length: SIZE, value: FIRST, begun: now++, ended: now++ },
    ];
    const run = async ({ kind, range: { offset, length } }: (typeof steps)[number], index: number) => {
      await scheduler.schedule(Promise.resolve(), `start ${index}`);
      const begun = now++;
      if (kind === 'read' || kind === 'tryRead') {
        const into = Buffer.alloc(length);
        if (kind === 'read') await disk.read(into, offset);
        else if (disk.tryRead?.(into, offset) !== true) return;
        assertPossible(into, offset, begun, now++, changes);
        return;
      }
      const value = kind === 'write' ? index + 1 : 0;
      const change = { kind, offset, length, value, begun, ended: Number.POSITIVE_INFINITY } as const;
      const kept: Change = { ...change };
      changes.push(kept);
      if (kind === 'write') await disk.write(Buffer.alloc(length, value), offset);
      else await disk[kind]?.(offset, length);
      kept.ended = now++;
    };
    const results = await scheduler.waitFor(Promise.allSettled(steps.map(run)));
    for (const result of results) {
      if (result.status === 'rejected') assert.equal(result.reason.code, 'io', `${result.reason}`);
    }
    const [found, expected] = [Buffer.alloc(SIZE), Buffer.alloc(SIZE)];
    failing.clear();
    await scheduler.waitFor(disk.read(found, 0));
    assertPossible(found, 0, now++, now++, changes);
    if (!truth) return;
    await truth.read(expected, 0);
    assert.deepEqual(found, expected);
  });
  await fc.assert(property, { numRuns: 150 });
}

interface Made {
  readonly disk: WritableDisk;
  /** A disk that holds at the end what the wrapper must read as. */
  readonly truth?: WritableDisk;
}

/** A change counts from its begin on, until one that began after its end has ended before the read began. */
function assertPossible(
  into: Uint8Array,
  offset: number,
  begun: number,
  ended: number,
  changes: readonly Change[],
): void {
  for (const [at, value] of into.entries()) {
    const here = changes.filter((one) => one.offset <= offset + at && offset + at < one.offset + one.length);
    const possible = here.filter(
      (one) =>
        one.begun < ended &&
        !here.some((later) => later.kind !== 'discard' && later.begun > one.ended && later.ended < begun),
    );
    assert.ok(
      possible.some((one) => one.value === value),
      `byte ${offset + at} is ${value}, not one of ${possible.map((one) => one.value)}`,
    );
  }
}

async function filled(): Promise<MemoryDisk> {
  const disk = new MemoryDisk(SIZE);
  await disk.write(Buffer.alloc(SIZE, FIRST), 0);
  return disk;
}

test('a cache is never stale, however reads and writes of its disk overtake each other', () =>
  keepsItsWord(async (slow) => {
    const truth = await filled();
    return { disk: cachedDisk(slow(truth), { bytes: 2 * BLOCK, blockSize: BLOCK }), truth };
  }));

test('a cache of all blocks, too', () =>
  keepsItsWord(async (slow) => {
    const truth = await filled();
    return { disk: cachedDisk(slow(truth), { bytes: SIZE, blockSize: BLOCK }), truth };
  }));

test('an overlay loses no write to copy-on-write, however base and top dawdle', () =>
  keepsItsWord(async (slow) => {
    const top = slow(new MemoryDisk(SIZE));
    return { disk: overlayDisk(slow(await filled()), { top, blockSize: BLOCK }) };
  }));

test('nor does a cache before an overlay', () =>
  keepsItsWord(async (slow) => {
    const overlay = overlayDisk(slow(await filled()), { blockSize: BLOCK });
    return { disk: cachedDisk(overlay, { bytes: 2 * BLOCK, blockSize: BLOCK - 3 }) };
  }));
