import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { temporaryFolder } from '../../test/support/temporary.ts';
import type { HostFile } from './host-file.ts';
import { SEEK_DATA } from './libc.ts';
import { openFile } from './open-file.ts';
import { sparseExtents } from './sparse.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

async function newFile(): Promise<HostFile> {
  made += 1;
  return openFile(folder.join(`${made}`), { create: true });
}

const MiB = 1 << 20;

describe('HostFile.extents', () => {
  it('tells data from holes, cut to the range, and takes what lies past the end for a hole', async () => {
    await using file = await newFile();
    await file.write(Buffer.alloc(MiB, 1), 2 * MiB);
    await file.truncate(4 * MiB);
    assert.deepEqual(Array.from(file.extents(0, 10 * MiB)), [
      { offset: 0, length: 2 * MiB, kind: 'hole' },
      { offset: 2 * MiB, length: MiB, kind: 'data' },
      { offset: 3 * MiB, length: 7 * MiB, kind: 'hole' },
    ]);
    assert.deepEqual(Array.from(file.extents(2 * MiB + 5, 100)), [
      { offset: 2 * MiB + 5, length: 100, kind: 'data' },
    ]);
    assert.deepEqual(Array.from(file.extents(50 * MiB, 1)), [{ offset: 50 * MiB, length: 1, kind: 'hole' }]);
    assert.deepEqual(Array.from(file.extents(2 * MiB, 0)), []);
  });

  it('finds data at offsets past 32 bits', async () => {
    await using file = await newFile();
    await file.write(Buffer.alloc(MiB, 1), 2 ** 42);
    assert.deepEqual(Array.from(file.extents(0, 2 ** 43)).slice(0, 2), [
      { offset: 0, length: 2 ** 42, kind: 'hole' },
      { offset: 2 ** 42, length: MiB, kind: 'data' },
    ]);
  });

  it('ends when the file is closed meanwhile', async () => {
    const file = await newFile();
    await file.write(Buffer.of(1), MiB);
    const extents = file.extents(0, 2 * MiB)[Symbol.iterator]();
    extents.next();
    await file.close();
    assert.throws(() => extents.next(), { code: 'closed' });
  });
});

describe('sparseExtents', () => {
  it('takes everything for data where the file system cannot tell', () => {
    assert.deepEqual(Array.from(sparseExtents(() => undefined, 10, 20)), [
      { offset: 10, length: 20, kind: 'data' },
    ]);
  });

  it('covers the range in order, with what the file system says of each byte', () => {
    const lengths = fc.array(fc.nat(5), { maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.nat(40), fc.nat(40), (runs, offset, length) => {
        // Runs of data and hole in turn, then the end of the file.
        const bytes = runs.flatMap((run, index) => Array<boolean>(run).fill(index % 2 === 0));
        const seek = (at: number, whence: number) => {
          if (at >= bytes.length) return Number.POSITIVE_INFINITY;
          const found = bytes.indexOf(whence === SEEK_DATA, at);
          if (found >= 0) return found;
          return whence === SEEK_DATA ? Number.POSITIVE_INFINITY : bytes.length;
        };
        let at = offset;
        for (const extent of sparseExtents(seek, offset, length)) {
          assert.equal(extent.offset, at);
          assert.ok(extent.length > 0);
          for (; at < extent.offset + extent.length; at += 1) {
            assert.equal(bytes[at] ?? false, extent.kind === 'data', `byte ${at}`);
          }
        }
        assert.equal(at, offset + length);
      }),
    );
  });
});

describe('HostFile.punchHole', () => {
  it('gives the range back, which reads zeros, and keeps the size', async () => {
    await using file = await newFile();
    await file.write(Buffer.alloc(MiB, 7), 0);
    assert.equal(file.punchHole(MiB / 2, 8 * MiB), true);
    assert.equal(file.stat().size, MiB);
    await file.sync();
    assert.equal(file.stat().allocated, MiB / 2);
    const found = Buffer.alloc(MiB);
    await file.read(found, 0);
    assert.ok(found.equals(Buffer.concat([Buffer.alloc(MiB / 2, 7), Buffer.alloc(MiB / 2)])));
    assert.equal(file.punchHole(5, 0), true);
  });
});

describe('HostFile.allocate', () => {
  it('reserves storage and grows the file', async () => {
    await using file = await newFile();
    assert.equal(file.allocate(MiB, MiB), true);
    const { size, allocated } = file.stat();
    assert.equal(size, 2 * MiB);
    assert.ok(allocated >= MiB && allocated < 2 * MiB);
  });
});
