import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../test/support/crash-storage.ts';
import { DamagedImage } from '../../test/support/damaged-image.ts';
import { playHistory } from '../../test/support/disk-history.ts';
import { DiskModel } from '../../test/support/disk-model.ts';
import { checkWithQemu, readWithQemu } from '../../test/support/encrypted-image.ts';
import { run, succeed } from '../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import { Chain } from './chain.ts';
import {
  createQcow2,
  denyBacking,
  followBacking,
  followDataFile,
  openQcow2,
  type Qcow2Disk,
} from './index.ts';
import { openImage } from './open-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;

const CLUSTER = 65_536;
const AUTOCLEAR = 88;

/** An image and its data file, in the same folder. */
interface Split {
  readonly image: string;
  readonly data: string;
}

async function create(size: number, options = '', below: string[] = []): Promise<Split> {
  names += 1;
  const [image, data] = [folder.join(`${names}.qcow2`), folder.join(`${names}.data`)];
  const all = `data_file=${data}${options && `,${options}`}`;
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...below, '-o', all, image, String(size)]);
  return { image, data };
}

function open(image: string, writable = true): Promise<Qcow2Disk> {
  return openQcow2(image, { writable, backing: followBacking(), dataFile: followDataFile() });
}

async function autoclear(image: string): Promise<bigint> {
  return (await readFile(image)).readBigUInt64BE(AUTOCLEAR);
}

async function assertZeros(reading: Promise<void>, bytes: Buffer): Promise<void> {
  await reading;
  assert.ok(bytes.every((byte) => byte === 0));
}

describe('trap 22: a random history with a data file reads as the model does, and QEMU finds the image right', () => {
  for (const options of ['', 'cluster_size=4k', 'extended_l2=on,cluster_size=16k']) {
    for (const raw of [false, true]) {
      it(`${raw ? 'raw' : 'not raw'}, ${options || 'as QEMU makes it'}`, async () => {
        const clusterSize = options.includes('4k') ? 4096 : options === '' ? CLUSTER : 16_384;
        const size = 20 * clusterSize + 512;
        const all = [options, ...(raw ? ['data_file_raw=on'] : [])].filter((one) => one !== '').join();
        const { image, data } = await create(size, all);
        const bytes = Buffer.alloc(size);
        for (const seed of [1, 2]) {
          await playHistory({ image, bytes, clusterSize, seed, steps: 30, openings: 1 });
          assert.equal(await autoclear(image), raw ? 2n : 0n);
          if (raw) await qemuImgCompare(`${image}.model`, 'raw', data, 'raw');
        }
      });
    }
  }

  it('raw, where nothing is allocated yet', async () => {
    // QEMU gives every cluster its place when it makes a raw data file; a bit that was set later finds none.
    const size = 20 * 4096;
    const { image, data } = await create(size, 'cluster_size=4k');
    const damaged = await DamagedImage.open(image);
    damaged.set(AUTOCLEAR, 2n);
    await damaged.save();
    await playHistory({ image, bytes: Buffer.alloc(size), clusterSize: 4096, seed: 3, steps: 40 });
    await qemuImgCompare(`${image}.model`, 'raw', data, 'raw');
  });

  it('over a base', async () => {
    const base = folder.join('base.raw');
    const size = 20 * 4096;
    const bytes = Buffer.alloc(size).fill(7, 0, 50_000);
    await writeFile(base, bytes.subarray(0, 50_000));
    const { image } = await create(size, 'cluster_size=4k', ['-b', base, '-F', 'raw']);
    await playHistory({ image, bytes, clusterSize: 4096, seed: 4, steps: 40 });
  });

  it('encrypted with LUKS (trap 33)', async () => {
    const size = 10 * CLUSTER;
    const secret = ['--object', 'secret,id=s,data=abc'];
    const luks = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1';
    const { image } = await create(size, luks, secret);
    const bytes = Buffer.alloc(size);
    {
      await using disk = await openQcow2(image, {
        writable: true,
        backing: denyBacking,
        dataFile: followDataFile(),
        encryption: { passphrase: Buffer.from('abc') },
      });
      await new DiskModel(disk, bytes, { clusterSize: CLUSTER, discards: true }, 5).run(25);
    }
    await checkWithQemu({ path: image, secret: 'abc' });
    assert.ok((await readWithQemu({ path: image, secret: 'abc' })).equals(bytes));
  });
});

describe('the storage of a data file', () => {
  it('is given back by a discard, and by zeroes with unmap, once the tables are durable (trap 24)', async () => {
    const { image, data } = await create(8 * CLUSTER);
    const allocated = async () => (await stat(data)).blocks * 512;
    await using disk = await open(image);
    await disk.write(Buffer.alloc(8 * CLUSTER, 1), 0);
    await disk.flush();
    assert.equal(await allocated(), 8 * CLUSTER);
    await disk.discard(0, 2 * CLUSTER);
    await disk.writeZeroes(2 * CLUSTER, CLUSTER);
    await disk.writeZeroes(3 * CLUSTER, CLUSTER, { unmap: false });
    // A place that has data again by the time is not given back.
    await disk.write(Buffer.alloc(512, 2), CLUSTER);
    assert.equal(await allocated(), 8 * CLUSTER);
    await disk.flush();
    assert.equal(await allocated(), 6 * CLUSTER);
    const bytes = Buffer.alloc(8 * CLUSTER);
    await disk.read(bytes, 0);
    const expected = Buffer.alloc(8 * CLUSTER)
      .fill(2, CLUSTER, CLUSTER + 512)
      .fill(1, 4 * CLUSTER);
    assert.ok(bytes.equals(expected));
  });

  it('of a raw one is given back too, and reads zeros without the image', async () => {
    const { image, data } = await create(4 * CLUSTER, 'data_file_raw=on');
    {
      await using disk = await open(image);
      await disk.write(Buffer.alloc(4 * CLUSTER, 1), 0);
      await disk.discard(100, 2 * CLUSTER);
      await disk.writeZeroes(3 * CLUSTER - 100, 200, { unmap: false });
    }
    const expected = Buffer.alloc(4 * CLUSTER, 1).fill(0, CLUSTER, 2 * CLUSTER);
    expected.fill(0, 3 * CLUSTER - 100, 3 * CLUSTER + 100);
    assert.ok((await readFile(data)).equals(expected));
    assert.equal((await stat(data)).blocks * 512, 3 * CLUSTER);
    await qemuImgCompare(image, 'qcow2', data, 'raw');
  });

  it('reads as zeros past its end, and grows', async () => {
    const { image, data } = await create(4 * CLUSTER);
    await qemuIo(image, [`write -P 1 0 ${4 * CLUSTER}`]);
    await truncate(data, CLUSTER + 1000);
    await using disk = await open(image);
    const bytes = Buffer.alloc(2 * CLUSTER, 9);
    await assertZeros(disk.read(bytes, 2 * CLUSTER), bytes);
    await disk.read(bytes, 0);
    assert.ok(bytes.equals(Buffer.alloc(2 * CLUSTER).fill(1, 0, CLUSTER + 1000)));
    await disk.write(Buffer.from('end'), 4 * CLUSTER - 3);
    await disk.close();
    assert.equal((await stat(data)).size, 4 * CLUSTER);
    await qemuIo(image, [`read -P 0 ${2 * CLUSTER} ${CLUSTER}`]);
  });
});

describe('trap 23: guest data in a data file is durable before the table that names it', () => {
  it('and a data file that cannot be synced ends all writing', async () => {
    const { image, data } = await create(4 * CLUSTER);
    const log: string[] = [];
    let fails = false;
    const logged = (name: string, storage: CrashStorage): CrashStorage => {
      const { write, datasync } = storage;
      storage.write = (from, offset) => {
        log.push(`${name} write`);
        return write.call(storage, from, offset);
      };
      storage.datasync = () => {
        log.push(`${name} sync`);
        if (fails && name === 'data') return Promise.reject(new CalveError('io', 'no sync'));
        return datasync.call(storage);
      };
      return storage;
    };
    const own = logged('image', new CrashStorage(image, await readFile(image)));
    const guest = logged('data', new CrashStorage(data, await readFile(data)));
    const disk = await openImage(own, {
      writable: true,
      chain: Chain.begin(),
      openBacking: async () => null,
      dataFile: async () => guest,
    });
    await disk.write(Buffer.alloc(CLUSTER, 1), 0);
    await disk.flush();
    const synced = log.indexOf('data sync');
    // Refcounts of the L2 table; then, behind both barriers, the L2 table and the L1 entry.
    assert.deepEqual(log.slice(0, synced), ['data write', 'image write']);
    assert.deepEqual(log.slice(synced + 1), [
      'image sync',
      'image write',
      'image sync',
      'image write',
      'image sync',
    ]);
    fails = true;
    await disk.write(Buffer.alloc(CLUSTER, 1), CLUSTER);
    await refused(disk.flush(), 'io', /no sync/);
    await refused(disk.flush(), 'io', /not written any more/);
    await refused(disk.write(Buffer.alloc(512), 0), 'io', /not written any more/);
    await refused(disk.close(), 'io');
  });
});

describe('trap 11: a data file', () => {
  it('is not opened because the image says so', async () => {
    const { image, data } = await create(CLUSTER);
    await rm(data);
    const error = await refused(
      openQcow2(image, { backing: denyBacking }),
      'denied',
      /its data file, ".*\.data"/,
    );
    assert.match(error.hint ?? '', /followDataFile\(\)/);
  });

  it('is what the policy makes of it', async () => {
    const { image, data: dataFile } = await create(CLUSTER);
    const storage = new CrashStorage('elsewhere', Buffer.alloc(CLUSTER));
    const asked: unknown[] = [];
    const disk = await openQcow2(image, {
      writable: true,
      lock: false,
      backing: denyBacking,
      dataFile: async (request) => {
        asked.push(request);
        return storage;
      },
    });
    assert.deepEqual(asked, [
      { imagePath: image, dataFile, writable: true, lock: false, ancestors: [image] },
    ]);
    await disk.write(Buffer.from('here'), 100);
    await disk.close();
    assert.equal(storage.content.toString('latin1', 100, 104), 'here');
  });

  it('is looked for from the folder of the image, and named when it is not there', async () => {
    await mkdir(folder.join('deep'));
    // QEMU starts from where it runs.
    const cwd = folder.join('deep');
    await succeed('qemu-img', ['create', '-f', 'qcow2', '-o', 'data_file=d.raw', 'd.qcow2', '64k'], { cwd });
    await succeed('qemu-io', ['-c', 'write -P 3 0 512', 'd.qcow2'], { cwd });
    const image = folder.join('deep', 'd.qcow2');
    const bytes = Buffer.alloc(512);
    {
      await using disk = await open(image, false);
      await disk.read(bytes, 0);
      assert.ok(bytes.every((byte) => byte === 3));
    }
    await rm(folder.join('deep', 'd.raw'));
    const missing = await refused(open(image), 'not-found', /its data file is not at .*deep\/d.raw$/);
    assert.match(missing.message, new RegExp(`^${image}: `));
  });

  /** Another name of the same length, or none. */
  async function renamed(name: (length: number) => Buffer | undefined): Promise<string> {
    const { image } = await create(CLUSTER);
    const bytes = await DamagedImage.open(image);
    const at = bytes.extension(0x44415441);
    const replaced = name(bytes.bytes.readUInt32BE(at - 4));
    if (replaced) bytes.bytes.set(replaced, at);
    else bytes.bytes.writeUInt32BE(0x0bad_cafe, at - 8);
    await bytes.save();
    return image;
  }
  const named = (name: string) => renamed((length) => Buffer.from(name.padEnd(length, 'x').slice(0, length)));

  it('is never taken for more than a file, and must have a name', async () => {
    for (const name of ['json:{}', 'nbd:x', 'file:x']) {
      await refused(open(await named(name)), 'denied', /expected a file as data file/);
    }
    await refused(
      open(await renamed(() => undefined)),
      'invalid',
      /expected the name of its data file, got none/,
    );
    await refused(
      open(await renamed((length) => Buffer.alloc(length))),
      'invalid',
      /data file name: expected UTF-8/,
    );
    await refused(open(await renamed((length) => Buffer.alloc(length, 0xff))), 'invalid', /data file name/);
  });

  it('is no image of the chain, whose tables the guest would write', async () => {
    const { image, data } = await create(CLUSTER);
    await rm(data);
    await symlink(image, data);
    for (const writable of [true, false]) {
      await refused(open(image, writable), 'invalid', /its data file is an image of its own chain/);
    }
  });

  it('of a backing image is opened by the policy that follows backing files', async () => {
    const { image } = await create(CLUSTER);
    await qemuIo(image, ['write -P 5 0 512']);
    const top = folder.join('top.qcow2');
    await createQcow2(top, { size: CLUSTER, backingFile: image, backingFormat: 'qcow2' });
    await refused(openQcow2(top, { backing: followBacking() }), 'denied', /data file/);
    const backing = followBacking({ dataFile: followDataFile() });
    await using disk = await openQcow2(top, { backing });
    const bytes = Buffer.alloc(512);
    await disk.read(bytes, 0);
    assert.ok(bytes.every((byte) => byte === 5));
  });

  it('is locked as the image is, and closed with it, also when opening fails', async () => {
    const { image, data } = await create(CLUSTER);
    const disk = await open(image);
    const ran = await run('qemu-io', ['-f', 'raw', '-c', 'write 0 512', data]);
    assert.match(ran.stderr, /lock/);
    await disk.close();
    {
      await using held = await holdInQemuIo(image);
      assert.ok(held.pid > 0);
      await refused(openQcow2(image, { lock: false, backing: denyBacking }), 'denied');
      const unlocked = { lock: false, backing: denyBacking, dataFile: followDataFile() };
      await (await openQcow2(image, unlocked)).close();
    }
    const damaged = await DamagedImage.open(image);
    damaged.set(damaged.l1Offset, (1n << 63n) | 512n);
    await damaged.save();
    await refused(open(image), 'corrupt', /L1 entry 0/);
    await succeed('qemu-io', ['-f', 'raw', '-c', 'write 0 512', data]);
  });
});

describe('an image with a data file that no writer makes', () => {
  async function damaged(damage: (image: DamagedImage) => void, options = ''): Promise<string> {
    const { image } = await create(4 * CLUSTER, options);
    await qemuIo(image, [`write -P 1 0 ${4 * CLUSTER}`]);
    const bytes = await DamagedImage.open(image);
    damage(bytes);
    await bytes.save();
    return image;
  }

  it('is refused where a cluster lies elsewhere, or is compressed', async () => {
    const image = await damaged((bytes) => {
      bytes.change(bytes.l2Entry(1), (entry) => entry + BigInt(CLUSTER));
      bytes.set(bytes.l2Entry(2), (1n << 62n) | 512n);
    });
    await using disk = await open(image);
    const bytes = Buffer.alloc(512);
    const elsewhere = /guest offset 65536: expected the same offset in the data file, 65536, got 131072/;
    await refused(disk.read(bytes, CLUSTER), 'corrupt', elsewhere);
    await refused(disk.write(bytes, CLUSTER), 'corrupt', elsewhere);
    await refused(disk.read(bytes, 2 * CLUSTER), 'corrupt', /no compressed cluster beside a data file/);
    await refused(disk.discard(0, 4 * CLUSTER), 'corrupt');
    await disk.read(bytes, 0);
    assert.ok(bytes.every((byte) => byte === 1));
  });

  it('is not written where it has snapshots', async () => {
    const image = await damaged((bytes) => {
      bytes.bytes.writeUInt32BE(1, 60);
      bytes.set(64, BigInt(bytes.l1Offset));
    });
    await refused(open(image), 'corrupt', /expected no snapshots beside a data file, got 1/);
    await (await open(image, false)).close();
  });

  it('is mended where a cluster in place lacks its COPIED flag, by a write', async () => {
    const image = await damaged((bytes) => bytes.change(bytes.l2Entry(1), (entry) => entry & ~(1n << 63n)));
    {
      await using disk = await open(image);
      await disk.write(Buffer.alloc(512, 2), CLUSTER + 512);
    }
    await qemuImgCheck(image);
    await qemuIo(image, [
      `read -P 1 ${CLUSTER} 512`,
      `read -P 2 ${CLUSTER + 512} 512`,
      `read -P 1 ${CLUSTER + 1024} 64000`,
    ]);
  });

  it('loses the claim to be raw, for writing, when it has a backing file or no data file', async () => {
    const base = folder.join('short.raw');
    await writeFile(base, Buffer.alloc(CLUSTER, 6));
    const { image } = await create(CLUSTER, '', ['-b', base, '-F', 'raw']);
    const single = folder.join('single.qcow2');
    await createQcow2(single, { size: CLUSTER });
    for (const path of [image, single]) {
      const bytes = await DamagedImage.open(path);
      bytes.set(AUTOCLEAR, 2n);
      await bytes.save();
      await (await open(path, false)).close();
      assert.equal(await autoclear(path), 2n);
      await (await open(path)).close();
      assert.equal(await autoclear(path), 0n);
    }
  });
});
