import assert from 'node:assert/strict';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { CalveError } from '../../errors/index.ts';
import { Chain } from '../chain.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import {
  type CreateOptions,
  createQcow2,
  denyBacking,
  followBacking,
  followDataFile,
  openQcow2,
} from '../index.ts';

import { openImage } from '../open-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (suffix = 'qcow2'): string => {
  names += 1;
  return folder.join(`${names}.${suffix}`);
};

const KIB = 1024;
const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

async function image(options: CreateOptions): Promise<string> {
  const path = fresh();
  await createQcow2(path, { sync: false, ...options });
  return path;
}

const open = (path: string) => openQcow2(path, { writable: true, backing: followBacking() });

async function read(path: string, offset: number, length: number): Promise<Buffer> {
  await using disk = await openQcow2(path, { backing: followBacking() });
  const bytes = Buffer.alloc(length, 0xee);
  await disk.read(bytes, offset);
  return bytes;
}

async function info(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await succeed('qemu-img', ['info', '--output', 'json', path]));
}

async function map(path: string): Promise<unknown> {
  return JSON.parse(await succeed('qemu-img', ['map', '--output', 'json', path]));
}

/** The refcount blocks of an image with clusters of 512 bytes. */
async function refcountBlocks(path: string): Promise<Buffer[]> {
  const bytes = await readFile(path);
  const table = Number(bytes.readBigUInt64BE(48));
  const entries = Array.from({ length: bytes.readUInt32BE(56) * 64 }, (_, index) =>
    Number(bytes.readBigUInt64BE(table + index * 8)),
  );
  return entries.filter((place) => place !== 0).map((place) => bytes.subarray(place, place + 512));
}

/** The disk's bytes are these, as QEMU reads them, and QEMU finds nothing wrong. */
async function assertDisk(path: string, bytes: Uint8Array): Promise<void> {
  await qemuImgCheck(path);
  const raw = fresh('raw');
  await writeFile(raw, bytes);
  assert.equal((await info(path))['virtual-size'], bytes.length);
  await qemuImgCompare(path, 'qcow2', raw, 'raw');
}

describe('growth', () => {
  for (const version of [2, 3] as const) {
    for (const clusterSize of [512, 4096, 65_536]) {
      it(`trap 30: version ${version}, clusters of ${clusterSize} bytes: a new L1 table, and the old one given back`, async () => {
        const path = await image({ size: 96 * KIB + 512, clusterSize, version });
        const bytes = Buffer.alloc(4 * MIB);
        {
          await using disk = await open(path);
          await disk.write(bytes.fill(1, 512, 90 * KIB).subarray(0, 90 * KIB), 0);
          await disk.resize(2 * MIB + 512);
          await disk.write(bytes.fill(2, MIB, 2 * MIB).subarray(MIB, 2 * MIB), MIB);
          await disk.resize(bytes.length);
          assert.equal(disk.size, bytes.length);
          await disk.write(bytes.fill(3, 4 * MIB - 512).subarray(4 * MIB - 512), 4 * MIB - 512);
        }
        await assertDisk(path, bytes);
      });
    }
  }

  it('trap 30: to 64 TiB, whose L1 table takes 16 clusters, and from nothing', async () => {
    const path = await image({ size: 0 });
    const began = process.cpuUsage();
    {
      await using disk = await open(path);
      await disk.resize(64 * TIB);
      await disk.write(Buffer.alloc(512, 7), 64 * TIB - 512);
      await disk.resize(32 * TIB, { shrink: true });
      await disk.resize(64 * TIB);
    }
    assert.ok(process.cpuUsage(began).user < 3e6);
    await qemuImgCheck(path);
    assert.equal((await info(path))['virtual-size'], 64 * TIB);
    assert.deepEqual(await read(path, 64 * TIB - 512, 512), Buffer.alloc(512));
    assert.ok((await stat(path)).size < 4 * MIB);
  });

  it('shows what QEMU left past the end of the disk no more than what lay there before', async () => {
    const path = await image({ size: 10 * MIB });
    await qemuIo(path, ['write -P 7 0 10M']);
    // QEMU keeps the bytes of the last cluster that lie past the end.
    await succeed('qemu-img', ['resize', '-q', '--shrink', path, `${5 * MIB + 512}`]);
    {
      await using disk = await open(path);
      await disk.resize(10 * MIB);
    }
    await assertDisk(path, Buffer.concat([Buffer.alloc(5 * MIB + 512, 7), Buffer.alloc(5 * MIB - 512)]));
  });

  it('unmaps what is left past the end of the disk, as after a shrink that was cut short', async () => {
    const path = await image({ size: 2 * MIB, clusterSize: 4096 });
    await qemuIo(path, ['write -P 7 0 2M']);
    const bytes = await readFile(path);
    bytes.writeBigUInt64BE(BigInt(MIB + 512), 24);
    await writeFile(path, bytes);
    {
      await using disk = await open(path);
      await disk.resize(2 * MIB);
    }
    await assertDisk(path, Buffer.concat([Buffer.alloc(MIB + 512, 7), Buffer.alloc(MIB - 512)]));
  });

  for (const version of [2, 3] as const) {
    it(`trap 20: version ${version} over a longer backing file, which stays hidden (iotest 274)`, async () => {
      const [base, middle] = [await image({ size: 2 * MIB }), fresh()];
      await qemuIo(base, ['write -P 9 0 2M']);
      const over = { backingFormat: 'qcow2', clusterSize: 4096, version } as const;
      await createQcow2(middle, { size: MIB - 512, backingFile: base, ...over });
      const top = await image({ size: MIB - 512, backingFile: middle, ...over });
      const bytes = Buffer.alloc(4 * MIB).fill(9, 0, MIB - 512);
      for (const path of [middle, top]) {
        await using disk = await open(path);
        await disk.resize(4 * MIB);
      }
      await assertDisk(middle, bytes);
      await assertDisk(top, bytes);
      // A middle image that came to be shorter than its base and its overlay shows zeros too.
      await using disk = await open(middle);
      await disk.resize(64 * KIB, { shrink: true });
      await disk.resize(128 * KIB);
      await disk.close();
      await assertDisk(middle, Buffer.concat([Buffer.alloc(64 * KIB, 9), Buffer.alloc(64 * KIB)]));
      await assertDisk(top, Buffer.concat([Buffer.alloc(64 * KIB, 9), Buffer.alloc(4 * MIB - 64 * KIB)]));
    });
  }

  for (const preallocation of ['metadata', 'full'] as const) {
    it(`trap 20: extended L2 with preallocation ${preallocation} over a longer base`, async () => {
      const base = await image({ size: 2 * MIB });
      await qemuIo(base, ['write -P 9 0 2M']);
      const over = { backingFile: base, backingFormat: 'qcow2', clusterSize: 16_384, extendedL2: true };
      const path = await image({ size: MIB + 1024, ...over });
      await using disk = await open(path);
      await disk.resize(3 * MIB, { preallocation });
      await disk.write(Buffer.alloc(512, 4), 2 * MIB + 512);
      await disk.close();
      const bytes = Buffer.alloc(3 * MIB).fill(9, 0, MIB + 1024);
      await assertDisk(path, bytes.fill(4, 2 * MIB + 512, 2 * MIB + 1024));
    });
  }

  it('trap 20: takes a table for the part that the backing file reaches alone', async () => {
    const base = await image({ size: 3 * MIB });
    const path = await image({ size: MIB, backingFile: base, backingFormat: 'qcow2' });
    await using disk = await open(path);
    await disk.resize(16 * TIB);
    assert.deepEqual(await Array.fromAsync(disk.ownExtents(0, 16 * TIB)), [
      { offset: 0, length: MIB, kind: 'unallocated', depth: 0 },
      { offset: MIB, length: 2 * MIB, kind: 'zero', depth: 0 },
      { offset: 3 * MIB, length: 16 * TIB - 3 * MIB, kind: 'unallocated', depth: 0 },
    ]);
    await disk.close();
    await qemuImgCheck(path);
  });

  for (const preallocation of ['metadata', 'falloc', 'full'] as const) {
    it(`with preallocation ${preallocation}, maps as QEMU maps it, and has its storage`, async () => {
      const [ours, theirs] = [await image({ size: 2 * MIB }), await image({ size: 2 * MIB })];
      {
        await using disk = await open(ours);
        await disk.resize(6 * MIB, { preallocation });
      }
      await succeed('qemu-img', ['resize', '-q', `--preallocation=${preallocation}`, theirs, '6M']);
      assert.deepEqual(await map(ours), await map(theirs));
      assert.equal((await stat(ours)).size, (await stat(theirs)).size);
      const taken = (await stat(ours)).blocks * 512;
      assert.ok(preallocation === 'metadata' ? taken < MIB : taken >= 4 * MIB, `${taken}`);
      await assertDisk(ours, Buffer.alloc(6 * MIB));
    });

    it(`with preallocation ${preallocation}, has storage for the rest of the last cluster, too`, async () => {
      const path = await image({ size: MIB + 4 * KIB, preallocation: 'metadata' });
      await qemuIo(path, [`write -P 3 1M 4k`]);
      const taken = async (): Promise<number> => (await stat(path)).blocks * 512;
      const before = await taken();
      {
        await using disk = await open(path);
        await disk.resize(MIB + 32 * KIB, { preallocation });
      }
      const grown = (await taken()) - before;
      assert.ok(preallocation === 'metadata' ? grown < 28 * KIB : grown >= 28 * KIB, `${grown}`);
      await assertDisk(
        path,
        Buffer.concat([Buffer.alloc(MIB), Buffer.alloc(4 * KIB, 3), Buffer.alloc(28 * KIB)]),
      );
    });

    it(`with preallocation ${preallocation} into clusters that were used before, reads zeros`, async () => {
      for (const version of [2, 3] as const) {
        const path = await image({ size: 2 * MIB, clusterSize: 4096, version });
        await using disk = await open(path);
        await disk.write(Buffer.alloc(MIB, 5), 0);
        // Freed in the middle of the file, where the bytes stay: something else keeps the file's end.
        await disk.write(Buffer.alloc(4096, 6), MIB);
        await disk.writeZeroes(0, MIB);
        await disk.flush();
        await disk.resize(4 * MIB, { preallocation });
        await disk.close();
        const bytes = Buffer.alloc(4 * MIB);
        bytes.fill(6, MIB, MIB + 4096);
        await assertDisk(path, bytes);
      }
    });
  }
});

/** A host that has no room from some offset on. */
class FullStorage extends CrashStorage {
  room = Number.POSITIVE_INFINITY;

  override async write(from: Uint8Array, offset: number): Promise<void> {
    if (offset + from.length > this.room) throw new CalveError('no-space', 'the host is full');
    return super.write(from, offset);
  }
}

describe('growth that fails', () => {
  it('leaves the old size, and gives back what it took', async () => {
    const size = 256 * KIB;
    const storage = new FullStorage('full.qcow2', encodeEmptyImage({ size, clusterSize: 512 }));
    const options = { writable: true, chain: Chain.begin(), openBacking: async () => null };
    const disk = await openImage(storage, options);
    await disk.write(Buffer.alloc(size, 3), 0);
    await disk.flush();
    storage.room = storage.content.length + 600 * KIB;
    await refused(disk.resize(4 * MIB, { preallocation: 'full' }), 'no-space', /full/);
    assert.equal(disk.size, size);
    await disk.write(Buffer.alloc(512, 4), 0);
    await disk.resize(size + 512);
    await disk.close();
    const path = fresh();
    await writeFile(path, storage.content);
    await assertDisk(
      path,
      Buffer.concat([Buffer.alloc(512, 4), Buffer.alloc(size - 512, 3), Buffer.alloc(512)]),
    );
  });

  it('leaves the old size when it is aborted', async () => {
    const path = await image({ size: MIB });
    await using disk = await open(path);
    const options = { preallocation: 'metadata', signal: AbortSignal.abort() } as const;
    await refused(disk.resize(2 * MIB, options), 'aborted', /resizing .* was aborted/);
    assert.equal(disk.size, MIB);
  });
});

describe('a smaller size', () => {
  it('gives the storage back, and cuts the file off', async () => {
    const path = await image({ size: 32 * MIB, clusterSize: 4096 });
    const bytes = Buffer.alloc(24 * MIB, 3);
    {
      await using disk = await open(path);
      await disk.write(bytes, 0);
      await disk.flush();
      await disk.resize(MIB + 512, { shrink: true });
    }
    // The first 2 MiB were written at once, and behind them their L2 table.
    const { size, blocks } = await stat(path);
    assert.ok(size < 2.1 * MIB && blocks * 512 < 1.1 * MIB, `${size} bytes, ${blocks} blocks`);
    await assertDisk(path, bytes.subarray(0, MIB + 512));
    await using disk = await open(path);
    await disk.resize(0, { shrink: true });
    await disk.resize(64 * KIB);
    await disk.close();
    assert.ok((await stat(path)).size <= 24 * KIB, `${(await stat(path)).size}`);
    await assertDisk(path, Buffer.alloc(64 * KIB));
  });

  it('takes up no more than QEMU makes of the same image', async () => {
    const [ours, theirs] = [await image({ size: 16 * MIB }), fresh()];
    await qemuIo(ours, ['write -P 3 0 16M', 'write -P 4 1M 64k']);
    await copyFile(ours, theirs);
    {
      await using disk = await open(ours);
      await disk.resize(3 * MIB, { shrink: true });
    }
    await succeed('qemu-img', ['resize', '-q', '--shrink', theirs, '3M']);
    await qemuImgCompare(ours, 'qcow2', theirs, 'qcow2');
    assert.ok((await stat(ours)).size <= (await stat(theirs)).size);
    assert.deepEqual(await map(ours), await map(theirs));
    await qemuImgCheck(ours);
  });

  it('leaves no refcount block that counts nothing, wherever the blocks lie', async () => {
    const path = await image({ size: 8 * MIB, clusterSize: 512 });
    const pieces = Array.from({ length: 32 }, (_, at) => ((at * 13) % 32) * 256);
    // QEMU puts blocks among the clusters that others count.
    await qemuIo(
      path,
      pieces.map((at) => `write -P 5 ${at}k 256k`),
    );
    const before = await refcountBlocks(path);
    {
      await using disk = await open(path);
      await disk.resize(MIB, { shrink: true });
    }
    const after = await refcountBlocks(path);
    assert.ok(after.length > 0 && after.length < before.length / 4, `${before.length}, then ${after.length}`);
    for (const block of after) assert.ok(block.some((byte) => byte !== 0));
    await assertDisk(path, Buffer.alloc(MIB, 5));
  });

  it('lets reads that are under way end', async () => {
    const path = await image({ size: 4 * MIB, clusterSize: 4096 });
    await using disk = await open(path);
    const bytes = Buffer.alloc(4 * MIB, 8);
    await disk.write(bytes, 0);
    await disk.flush();
    const found = Buffer.alloc(4 * MIB);
    const reading = disk.read(found, 0);
    const walking = Array.fromAsync(disk.extents(0, 4 * MIB));
    const resizing = disk.resize(64 * KIB, { shrink: true });
    const writing = disk.write(Buffer.alloc(512, 1), 0);
    await Promise.all([reading, walking, resizing, writing]);
    assert.ok(found.subarray(0, 512).every((byte) => byte === 8 || byte === 1));
    assert.ok(found.subarray(512, 64 * KIB).equals(bytes.subarray(512, 64 * KIB)));
    assert.equal(disk.size, 64 * KIB);
    await assert.rejects(disk.read(new Uint8Array(1), 64 * KIB), /out|range|expected/);
  });

  it('is refused unless it is asked for, with the command that does it', async () => {
    const path = await image({ size: MIB });
    await using disk = await open(path);
    const error = await refused(disk.resize(512), 'denied', /from 1048576 to 512 bytes, deletes all/);
    assert.match(error.hint ?? '', /qemu-img resize --shrink/);
    await refused(disk.resize(512, { shrink: true, preallocation: 'full' }), 'usage', /^preallocation/);
    assert.equal(disk.size, MIB);
  });
});

describe('internal snapshots and a new size', () => {
  it('version 3: each keeps the size and the content that it had', async () => {
    const path = await image({ size: MIB, clusterSize: 4096 });
    await qemuIo(path, ['write -P 1 0 1M']);
    await succeed('qemu-img', ['snapshot', '-c', 'one', path]);
    {
      await using disk = await open(path);
      await disk.resize(3 * MIB);
      await disk.write(Buffer.alloc(MIB, 2), 2 * MIB);
    }
    await qemuImgCheck(path);
    await succeed('qemu-img', ['snapshot', '-c', 'two', path]);
    {
      await using disk = await open(path);
      await disk.resize(512, { shrink: true });
      await disk.resize(2 * MIB);
    }
    await assertDisk(path, Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(2 * MIB - 512)]));
    for (const [name, bytes] of [
      ['two', Buffer.concat([Buffer.alloc(MIB, 1), Buffer.alloc(MIB), Buffer.alloc(MIB, 2)])],
      ['one', Buffer.alloc(MIB, 1)],
    ] as const) {
      await succeed('qemu-img', ['snapshot', '-a', name, path]);
      await assertDisk(path, bytes);
    }
  });

  it('version 2: refused, as by QEMU', async () => {
    const path = await image({ size: MIB, version: 2 });
    await succeed('qemu-img', ['snapshot', '-c', 'one', path]);
    await using disk = await open(path);
    await refused(disk.resize(2 * MIB), 'unsupported', /version 2 does not say/);
    await refused(disk.resize(512, { shrink: true }), 'unsupported', /version 2 does not say/);
  });
});

describe('a size that cannot be', () => {
  it('is refused by name, and nothing changes', async () => {
    const path = await image({ size: MIB, clusterSize: 512 });
    const before = await readFile(path);
    await using disk = await open(path);
    for (const size of [-512, 100, 2 ** 53, 137_438_953_472 + 512]) {
      const error = await refused(disk.resize(size), 'out-of-range', /size: expected a multiple of 512/);
      assert.equal(error.data['option'], 'size');
    }
    await disk.resize(MIB);
    await disk.close();
    assert.ok((await readFile(path)).equals(before));
  });

  for (const dataFileRaw of [false, true]) {
    it(`goes for a data file, too: ${dataFileRaw ? 'raw' : 'not raw'}`, async () => {
      const raw = folder.join(`resized-${dataFileRaw}.data`);
      const path = await image({ size: MIB, dataFile: raw, dataFileRaw });
      const dataFile = followDataFile();
      await using disk = await openQcow2(path, { writable: true, backing: denyBacking, dataFile });
      const error = await refused(
        disk.resize(2 * MIB, { preallocation: 'metadata' }),
        'unsupported',
        /data file|of its own/,
      );
      assert.equal(error.data['feature'], 'an external data file');
      const expected = Buffer.alloc(3 * MIB);
      await disk.write(expected.fill(1, 0, MIB).subarray(0, MIB), 0);
      await disk.resize(MIB / 2 + 512, { shrink: true });
      await disk.resize(3 * MIB);
      expected.fill(0, MIB / 2 + 512);
      await disk.write(expected.fill(2, 2 * MIB, 2 * MIB + 1000).subarray(2 * MIB, 2 * MIB + 1000), 2 * MIB);
      await disk.close();
      await qemuImgCheck(path);
      const flat = fresh('raw');
      await succeed('qemu-img', ['convert', '-O', 'raw', path, flat]);
      assert.ok((await readFile(flat)).equals(expected));
      assert.equal((await stat(raw)).size, 3 * MIB);
      if (dataFileRaw) assert.ok((await readFile(raw)).equals(expected));
    });
  }

  it('goes for bitmaps, too: growth is clean', async () => {
    const path = await image({ size: MIB });
    await succeed('qemu-img', ['bitmap', '--add', '-g', '64k', path, 'b']);
    const dirty = async () => {
      await using disk = await open(path);
      const found = await Array.fromAsync(disk.dirtyExtents('b', 0, disk.size));
      return found.filter((extent) => extent.dirty).map(({ offset, length }) => [offset, length]);
    };
    {
      await using disk = await open(path);
      await disk.write(Buffer.alloc(1000, 1), MIB - 1000);
      await disk.resize(4 * MIB);
      await disk.write(Buffer.alloc(1000, 1), 3 * MIB);
    }
    await qemuImgCheck(path);
    assert.deepEqual(await dirty(), [
      [MIB - 64 * KIB, 64 * KIB],
      [3 * MIB, 64 * KIB],
    ]);
    {
      await using disk = await open(path);
      await disk.resize(MIB / 2, { shrink: true });
      await disk.resize(4 * MIB);
    }
    await qemuImgCheck(path);
    assert.deepEqual(await dirty(), []);
  });

  it('is refused to a disk for reading, and over a backing file that was left aside', async () => {
    const path = await image({ size: MIB });
    await using reading = await openQcow2(path, { backing: denyBacking });
    await refused(reading.resize(2 * MIB), 'denied', /opened for reading/);
    await reading.close();
    const over = await image({ size: MIB, backingFile: 'nowhere', backingFormat: 'raw' });
    await using disk = await openQcow2(over, { writable: true, backing: async () => null });
    await refused(disk.resize(2 * MIB), 'denied', /without its backing file/);
    await disk.resize(512, { shrink: true });
  });
});
