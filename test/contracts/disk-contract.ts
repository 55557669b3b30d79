import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Extent, extentsOf, type WritableDisk, writeZeroesTo } from '../../src/disk/index.ts';
import { CalveError } from '../../src/errors/index.ts';

/** Several clusters of any size up to 64 KiB, and a part of one. */
const SIZE = 5 * 65_536 + 3 * 512;

/**
 * What every writable disk keeps to.
 *
 * @param makeDisk a new disk of `size` bytes, a multiple of 512, that reads zeros; the suite closes it
 */
export function diskContract(name: string, makeDisk: (size: number) => Promise<WritableDisk>): void {
  const withDisk = async (test: (disk: WritableDisk) => Promise<void>, size = SIZE) => {
    await using disk = await makeDisk(size);
    await test(disk);
  };

  describe(`${name} as a disk`, () => {
    it('has the size that it was made with and reads zeros', () =>
      withDisk(async (disk) => {
        assert.equal(disk.size, SIZE);
        await assertContent(disk, Buffer.alloc(SIZE));
      }));

    it('reads what was written, zeroed and discarded before, whatever the ranges', () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), (steps) =>
          withDisk(async (disk) => {
            const model = Buffer.alloc(SIZE);
            for (const one of steps) await take(one, disk, model);
            await assertContent(disk, model);
          }),
        ),
        { numRuns: 30 },
      ));

    it('keeps the bytes of writes that are under way at one time', () =>
      withDisk(async (disk) => {
        const model = Buffer.alloc(SIZE);
        const writes: Promise<void>[] = [];
        for (let offset = 0, index = 1; offset < SIZE; offset += 1536, index += 1) {
          const bytes = model.subarray(offset, offset + 1536).fill(index % 255 || 7);
          writes.push(disk.write(bytes, offset));
          if (index % 50 === 0) writes.push(disk.flush());
        }
        await Promise.all(writes);
        await assertContent(disk, model);
      }));

    it('fills the bytes it was given to fill and no others', () =>
      withDisk(async (disk) => {
        await disk.write(Buffer.alloc(2048, 0x11), 512);
        const around = Buffer.alloc(3000, 0xee);
        const into = around.subarray(100, 2148);
        await disk.read(into, 512);
        assert.deepEqual(into, Buffer.alloc(2048, 0x11));
        assert.ok([...around.subarray(0, 100), ...around.subarray(2148)].every((byte) => byte === 0xee));
      }));

    it('refuses ranges that do not lie in it, before anything is done', () =>
      withDisk(async (disk) => {
        await disk.write(Buffer.alloc(SIZE, 0x22), 0);
        for (const [offset, length] of OUTSIDE) {
          for (const [verb, use] of uses(disk, offset, length)) {
            await assert.rejects(use, code('out-of-range'), `${verb} of ${length} bytes at ${offset}`);
          }
        }
        await assertContent(disk, Buffer.alloc(SIZE, 0x22));
      }));

    it('takes a range of no bytes anywhere up to its end, and does nothing', () =>
      withDisk(async (disk) => {
        await disk.write(Buffer.alloc(SIZE, 0x33), 0);
        for (const offset of [0, 1, 65_536, SIZE]) {
          for (const [, use] of uses(disk, offset, 0)) await use();
        }
        assert.deepEqual(await extentList(disk, 65_536, 0), []);
        await assertContent(disk, Buffer.alloc(SIZE, 0x33));
      }));

    it('never calls a range with data zero, nor hides that nothing was written', () =>
      withDisk(async (disk) => {
        await disk.write(Buffer.of(0xff), 65_536 + 513);
        await disk.flush();
        const extents = await extentList(disk, 0, SIZE);
        const holder = extents.find(({ offset, length }) => offset <= 66_049 && 66_049 < offset + length);
        assert.equal(holder?.kind, 'data');
        assert.equal(holder?.depth, 0);
        if (disk.extents) assert.notEqual(extents.at(-1)?.kind, 'data');
      }));

    it('changes its size, and what growth adds reads zeros even where there was data before', () =>
      withDisk(async (disk) => {
        if (!disk.resize) return;
        const model = Buffer.alloc(SIZE, 0x44);
        await disk.write(model, 0);
        await disk.resize(100_352);
        assert.equal(disk.size, 100_352);
        await assertContent(disk, model.subarray(0, 100_352));
        await assert.rejects(disk.read(Buffer.alloc(512), 100_352), code('out-of-range'));
        await disk.resize(SIZE);
        await assertContent(disk, model.fill(0, 100_352));
        for (const size of [-512, 0.5, Number.NaN, 2 ** 53]) {
          await assert.rejects(async () => disk.resize?.(size), code('out-of-range'), `resize to ${size}`);
        }
        assert.equal(disk.size, SIZE);
      }));

    it('closes twice, and refuses every use afterwards', async () => {
      const disk = await makeDisk(SIZE);
      await disk.write(Buffer.alloc(512, 0x55), 0);
      await Promise.all([disk.close(), disk.close()]);
      await disk.close();
      for (const [verb, use] of uses(disk, 0, 512)) {
        // A disk that would have to wait may say so before it says that it is closed.
        if (verb === 'tryRead' && (await use().catch(() => false)) === false) continue;
        await assert.rejects(use, code('closed'), verb);
      }
      await assert.rejects(async () => disk.flush(), code('closed'));
      await assert.rejects(async () => disk.resize?.(512) ?? disk.flush(), code('closed'));
    });
  });
}

/** A step of a random history, in bytes. */
type Step =
  | { verb: 'write'; offset: number; length: number; fill: number }
  | { verb: 'zero'; offset: number; length: number; unmap: boolean }
  | { verb: 'discard'; offset: number; length: number }
  | { verb: 'read'; offset: number; length: number }
  | { verb: 'flush' };

/** Odd ranges, and those of whole sectors and clusters, which are treated differently below. */
const range = fc
  .tuple(fc.constantFrom(1, 512, 4096, 65_536), fc.nat(SIZE), fc.nat(2 * 65_536))
  .map(([unit, start, bytes]) => {
    const offset = start - (start % unit);
    return { offset, length: Math.min(bytes - (bytes % unit), SIZE - offset) };
  });

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(range, fc.nat(255)).map(([at, fill]): Step => ({ verb: 'write', ...at, fill })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(range, fc.boolean()).map(([at, unmap]): Step => ({ verb: 'zero', ...at, unmap })),
  },
  { weight: 1, arbitrary: range.map((at): Step => ({ verb: 'discard', ...at })) },
  { weight: 2, arbitrary: range.map((at): Step => ({ verb: 'read', ...at })) },
  { weight: 1, arbitrary: fc.constant<Step>({ verb: 'flush' }) },
);

/** Takes a step on the disk and on the flat model of its content. */
async function take(one: Step, disk: WritableDisk, model: Buffer): Promise<void> {
  if (one.verb === 'flush') return disk.flush();
  const { offset, length } = one;
  const expected = model.subarray(offset, offset + length);
  if (one.verb === 'write') {
    // Bytes that tell where they lie, so that a shift by any distance is seen.
    for (let at = 0; at < length; at += 1) expected[at] = (one.fill + 131 * (offset + at)) % 251;
    const from = Buffer.from(expected);
    await disk.write(from, offset);
    assert.deepEqual(from, expected, 'write changed the bytes it was given');
  } else if (one.verb === 'zero') {
    await writeZeroesTo(disk, offset, length, { unmap: one.unmap });
    expected.fill(0);
  } else if (one.verb === 'discard') {
    await disk.discard?.(offset, length);
    const found = Buffer.alloc(length);
    await disk.read(found, offset);
    assert.ok(
      found.every((byte, at) => byte === 0 || byte === expected[at]),
      'what is discarded reads zeros or what it read before',
    );
    expected.set(found);
  } else {
    const found = Buffer.alloc(length, 0xaa);
    await disk.read(found, offset);
    assert.ok(found.equals(expected), `read of ${length} bytes at ${offset}`);
  }
}

/** The disk reads as the model does, both ways, and its extents cover it and are true. */
async function assertContent(disk: WritableDisk, model: Buffer): Promise<void> {
  assert.equal(disk.size, model.length);
  const found = Buffer.alloc(model.length, 0xaa);
  await disk.read(found, 0);
  assert.ok(found.equals(model), 'read');
  for (let offset = 0; offset < model.length; offset += 4099) {
    const piece = Buffer.alloc(Math.min(4099, model.length - offset), 0xbb);
    if (disk.tryRead?.(piece, offset) === false) continue;
    if (!disk.tryRead) break;
    assert.ok(piece.equals(model.subarray(offset, offset + piece.length)), `tryRead at ${offset}`);
  }
  for (const [offset, length] of [
    [0, model.length],
    [1, Math.min(70_000, model.length - 1)],
  ] as const) {
    let at = offset;
    for (const extent of await extentList(disk, offset, length)) {
      assert.equal(extent.offset, at, 'extents follow each other');
      assert.ok(extent.length > 0, 'an extent is never empty');
      at += extent.length;
      if (extent.kind === 'data') continue;
      const bytes = model.subarray(extent.offset, at);
      assert.ok(
        bytes.every((byte) => byte === 0),
        `${extent.kind} at ${extent.offset} hides data`,
      );
    }
    assert.equal(at, offset + length, 'extents end with the range');
  }
}

async function extentList(disk: WritableDisk, offset: number, length: number): Promise<Extent[]> {
  return Array.fromAsync(extentsOf(disk, offset, length));
}

const OUTSIDE = [
  [-1, 1],
  [SIZE, 1],
  [SIZE - 511, 512],
  [0, SIZE + 1],
  [SIZE + 1, 0],
  [0.5, 1],
  [Number.NaN, 1],
  [Number.POSITIVE_INFINITY, 0],
  [2 ** 53, 1],
] as const;

type Use = [verb: string, use: () => Promise<unknown>];

/** Every use of a range that the disk is capable of. */
function uses(disk: WritableDisk, offset: number, length: number): Use[] {
  const bytes = Buffer.alloc(length);
  const { tryRead, extents, writeZeroes, discard } = disk;
  const all: Use[] = [
    ['read', () => disk.read(bytes, offset)],
    ['write', () => disk.write(bytes, offset)],
  ];
  if (tryRead) all.push(['tryRead', async () => tryRead.call(disk, bytes, offset)]);
  if (extents) all.push(['extents', () => Array.fromAsync(extents.call(disk, offset, length))]);
  if (writeZeroes) all.push(['writeZeroes', () => writeZeroes.call(disk, offset, length)]);
  if (discard) all.push(['discard', () => discard.call(disk, offset, length)]);
  return all;
}

const code = (expected: CalveError['code']) => (error: unknown) => {
  assert.ok(CalveError.is(error, expected), `expected ${expected}, got ${error}`);
  return true;
};
