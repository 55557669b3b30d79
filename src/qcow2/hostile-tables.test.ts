import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../test/support/crash-storage.ts';
import { report, run } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import { Chain } from './chain.ts';
import { encodeEmptyImage } from './empty-image.ts';
import { openImage } from './open-image.ts';
import type { Qcow2Disk } from './qcow2-disk.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const CLUSTER = 4096;
const COPIED = 1n << 63n;
/** The clusters of an empty image behind the header. */
const TABLE = CLUSTER;
const BLOCK = 2 * CLUSTER;
const L1 = 3 * CLUSTER;

async function open(image: Uint8Array, writable: boolean): Promise<Qcow2Disk> {
  const storage = new CrashStorage('image.qcow2', image);
  return openImage(storage, { writable, chain: Chain.begin(), openBacking: async () => null });
}

/** An image with one cluster of data, 0x11, and one of zeros that owns its cluster. */
async function sample(version: 2 | 3 = 3): Promise<Buffer> {
  const storage = new CrashStorage(
    'image.qcow2',
    encodeEmptyImage({ size: 64 * CLUSTER, clusterSize: CLUSTER, version }),
  );
  const disk = await openImage(storage, {
    writable: true,
    chain: Chain.begin(),
    openBacking: async () => null,
  });
  await disk.write(Buffer.alloc(2 * CLUSTER, 0x11), 0);
  if (version === 3) await disk.writeZeroes(CLUSTER, CLUSTER, { unmap: false });
  await disk.close();
  return storage.content;
}

function patched(image: Buffer, at: number, value: bigint): Buffer {
  const copy = Buffer.from(image);
  copy.writeBigUInt64BE(value, at);
  return copy;
}

const corrupt = (message: RegExp) => (error: unknown) => {
  assert.ok(CalveError.is(error, 'corrupt'), `expected corrupt, got ${error}`);
  assert.match(error.message, message);
  assert.match(error.message, /^image\.qcow2: /);
  return true;
};

const plain = await sample();
const L2 = Number(plain.readBigUInt64BE(L1) - COPIED);
const dataEntry = plain.readBigUInt64BE(L2);
const dataOffset = Number(dataEntry - COPIED);

describe('tables that cannot be right', () => {
  it('trap 13: reserved bits change nothing that is read', async () => {
    const l1 = patched(plain, L1, plain.readBigUInt64BE(L1) | 0x7f000000000001ffn);
    await using disk = await open(patched(l1, L2, dataEntry | 0x3f000000000001fen), false);
    const bytes = Buffer.alloc(CLUSTER);
    await disk.read(bytes, 0);
    assert.ok(bytes.every((byte) => byte === 0x11));
  });

  it('trap 14: a zero flag is refused in version 2', async () => {
    const old = await sample(2);
    await using disk = await open(patched(old, L2 + 8, 1n), false);
    const bytes = Buffer.alloc(CLUSTER);
    await disk.read(bytes, 0);
    await assert.rejects(disk.read(bytes, CLUSTER), corrupt(/guest offset 4096: expected no zero flag/));
    assert.throws(() => disk.tryRead(bytes, CLUSTER), corrupt(/zero flag/));
  });

  it('trap 14: a zero cluster that owns its cluster reads zeros and is written in it', async () => {
    assert.equal(plain.readBigUInt64BE(L2 + 8) & 1n, 1n);
    const storage = new CrashStorage('image.qcow2', plain);
    const disk = await openImage(storage, {
      writable: true,
      chain: Chain.begin(),
      openBacking: async () => null,
    });
    const bytes = Buffer.alloc(CLUSTER, 0xaa);
    await disk.read(bytes, CLUSTER);
    assert.ok(bytes.every((byte) => byte === 0));
    await disk.write(Buffer.from('here'), CLUSTER + 100);
    await disk.close();
    assert.equal(storage.content.readBigUInt64BE(L2 + 8), plain.readBigUInt64BE(L2 + 8) & ~1n);
    const expected = Buffer.alloc(CLUSTER);
    expected.write('here', 100);
    assert.ok(storage.content.subarray(dataOffset + CLUSTER, dataOffset + 2 * CLUSTER).equals(expected));
  });

  for (const [what, entry, message] of [
    ['an unaligned data cluster', COPIED | 512n, /guest offset 0: expected a multiple of 4096, got 512/],
    ['compressed data beyond 56 bits', (1n << 62n) | (1n << 57n), /below 2\^56/],
    [
      'compressed data past the end of the file',
      (1n << 62n) | (1n << 40n),
      /compressed cluster at 1099511627776/,
    ],
    ['compressed data that is none', (1n << 62n) | BigInt(dataOffset), /guest offset 0: zlib/],
  ] as const) {
    it(`trap 16: ${what} is refused when it is read`, async () => {
      await using disk = await open(patched(plain, L2, entry), false);
      await assert.rejects(disk.read(Buffer.alloc(10), 0), corrupt(message));
    });
  }

  it('trap 19: data far past the end of the file reads zeros, and is not written there', async () => {
    for (const offset of [2n ** 40n, 2n ** 55n]) {
      await using disk = await open(patched(plain, L2, COPIED | offset), true);
      const bytes = Buffer.alloc(CLUSTER, 0xaa);
      await disk.read(bytes, 0);
      assert.ok(bytes.every((byte) => byte === 0));
      assert.ok(disk.tryRead(bytes.fill(0xaa), 0));
      assert.ok(bytes.every((byte) => byte === 0));
      await assert.rejects(disk.write(bytes, 0), corrupt(/past the end of the file/));
    }
  });

  for (const [what, offset] of [
    ['unaligned', 512],
    ['past the end of the file', 2 ** 40],
    ['cut off by the end of the file', plain.length - (plain.length % CLUSTER) + CLUSTER],
  ] as const) {
    it(`an L2 table that is ${what} is refused`, async () => {
      const image = patched(plain, L1, COPIED | BigInt(offset));
      await using disk = await open(image, false);
      await assert.rejects(disk.read(Buffer.alloc(10), 0), corrupt(/L1 entry 0|L2 table of L1 entry 0/));
      await assert.rejects(open(image, true), corrupt(/L1 entry 0/));
    });
  }

  it('an L1 table that is cut off by the end of the file is refused', () =>
    assert.rejects(open(plain.subarray(0, L1 + 4), false), corrupt(/L1 table of 8 bytes at 12288/)));

  it('trap 8: a snapshot table that cannot be right is refused before it is allocated for', async () => {
    const image = Buffer.from(plain);
    image.writeUInt32BE(1, 60);
    image.writeBigUInt64BE(BigInt(dataOffset), 64);
    const entry = image.subarray(dataOffset, dataOffset + 40).fill(0);
    entry.writeBigUInt64BE(BigInt(dataOffset), 0);
    entry.writeUInt32BE(0xffffffff, 8);
    await assert.rejects(open(image, true), corrupt(/snapshot 0, l1_size: expected at most 4194304/));
    entry.writeUInt32BE(1, 8);
    entry.writeUInt32BE(1025, 36);
    await assert.rejects(open(image, true), corrupt(/snapshot 0, extra_data_size: expected at most 1024/));
    entry.writeUInt32BE(0, 36);
    entry.writeBigUInt64BE(2n ** 63n, 0);
    await assert.rejects(open(image, true), corrupt(/snapshot 0, l1_table_offset/));
  });
});

describe('clusters that two guest clusters share', () => {
  /** Two entries, one cluster: as calve's layers have them, and QEMU has them nowhere but in snapshots. */
  async function shared(): Promise<CrashStorage> {
    const storage = new CrashStorage(
      'image.qcow2',
      encodeEmptyImage({ size: 64 * CLUSTER, clusterSize: CLUSTER }),
    );
    const disk = await openImage(storage, {
      writable: true,
      chain: Chain.begin(),
      openBacking: async () => null,
    });
    await disk.write(Buffer.alloc(CLUSTER, 0x33), 0);
    await disk.close();
    const image = storage.content;
    const table = Number(image.readBigUInt64BE(L1) - COPIED);
    const cluster = image.readBigUInt64BE(table) - COPIED;
    for (const entry of [0, 8, 16]) image.writeBigUInt64BE(cluster, table + entry);
    image.writeUInt16BE(3, BLOCK + 2 * (Number(cluster) / CLUSTER));
    return new CrashStorage('image.qcow2', image);
  }

  it('trap 26: part when one is written, and the others keep what they read', async () => {
    const storage = await shared();
    const expected = Buffer.alloc(64 * CLUSTER).fill(0x33, 0, 3 * CLUSTER);
    for (const [index, verdict] of [
      [1, 0],
      [0, 3],
      [2, 3],
    ] as const) {
      await using disk = await openImage(storage, {
        writable: true,
        chain: Chain.begin(),
        openBacking: async () => null,
      });
      expected.fill(0x40 + index, index * CLUSTER + 10, index * CLUSTER + 500);
      await disk.write(Buffer.alloc(490, 0x40 + index), index * CLUSTER + 10);
      await disk.close();
      const path = folder.join('shared.qcow2');
      await writeFile(path, storage.content);
      const checked = await run('qemu-img', ['check', path]);
      // Of two that share a cluster the refcount stays behind: a leak, but never a wrong flag.
      assert.equal(checked.code, verdict, report(checked));
      await using again = await open(storage.content, false);
      const found = Buffer.alloc(expected.length);
      await again.read(found, 0);
      assert.ok(found.equals(expected));
    }
  });
});

describe('trap 27: a write never lands on metadata', () => {
  for (const [what, offset] of [
    ['refcount table', TABLE],
    ['refcount block', BLOCK],
    ['L1 table', L1],
    ['L2 table', L2],
  ] as const) {
    it(`guest data that is mapped to the ${what} is refused, and nothing is written`, async () => {
      const image = patched(plain, L2, COPIED | BigInt(offset));
      const storage = new CrashStorage('image.qcow2', image);
      const disk = await openImage(storage, {
        writable: true,
        chain: Chain.begin(),
        openBacking: async () => null,
      });
      await assert.rejects(disk.write(Buffer.alloc(512, 0xff), 0), corrupt(new RegExp(`holds: ${what}$`)));
      const zeros = patched(plain, L2, COPIED | BigInt(offset) | 1n);
      await using other = await open(zeros, true);
      await assert.rejects(other.write(Buffer.alloc(512, 0xff), 0), corrupt(new RegExp(`holds: ${what}$`)));
      await disk.close();
      assert.ok(storage.content.equals(image));
    });
  }

  for (const [what, at, value] of [
    ['an L2 table on the refcount block', L1, COPIED | BigInt(BLOCK)],
    ['a refcount block on the L1 table', TABLE, BigInt(L1)],
    ['an L1 table on the refcount table', 40, BigInt(TABLE)],
    ['a refcount table on the L2 table', 48, BigInt(L2)],
  ] as const) {
    it(`${what} is refused before anything is written`, () =>
      assert.rejects(
        open(patched(plain, at, value), true),
        corrupt(/would lie on a cluster|refcount table entry/),
      ));
  }

  it('clusters that count as free and hold metadata are not given to guests', async () => {
    // Refcounts of 0 throughout.
    const image = Buffer.from(plain).fill(0, BLOCK, BLOCK + CLUSTER);
    await using disk = await open(image, true);
    await assert.rejects(
      disk.write(Buffer.alloc(512, 0xff), 10 * CLUSTER),
      corrupt(/guest data at 0 .* header/),
    );
    await disk.close();
  });

  it('a refcount block that is missing is not made on the header', async () => {
    await using disk = await open(patched(plain, TABLE, 0n), true);
    await assert.rejects(disk.write(Buffer.alloc(512, 0xff), 10 * CLUSTER), corrupt(/header/));
  });

  it('a cluster in use with a refcount of 0 ends all writing when it is freed', async () => {
    const image = Buffer.from(plain);
    image.writeUInt16BE(0, BLOCK + 2 * (dataOffset / CLUSTER));
    const disk = await open(image, true);
    await disk.discard(0, CLUSTER);
    await assert.rejects(disk.flush(), corrupt(/in use with a refcount of 0/));
    await assert.rejects(disk.write(Buffer.alloc(512), 0), /not written any more since an earlier failure/);
    await assert.rejects(disk.close(), /not written any more/);
  });
});
