import assert from 'node:assert/strict';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  checkWithQemu,
  readWithQemu,
  tryQemuIo,
  writeWithQemu,
} from '../../../test/support/encrypted-image.ts';
import { run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { CalveError } from '../../errors/index.ts';
import {
  type CreateOptions,
  checkQcow2,
  createQcow2,
  denyBacking,
  followDataFile,
  openQcow2,
} from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (): string => {
  names += 1;
  return folder.join(`${names}.qcow2`);
};

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;
const passphrase = Buffer.from('abc');
const QUICK = { passphrase, iterations: { keySlot: 1000, masterKey: 1000 } };

/** `-o` of the same image by QEMU. */
function qemuOptions(options: CreateOptions, dataFile: string): string[] {
  const pairs: Record<string, string | number | boolean | undefined> = {
    cluster_size: options.clusterSize,
    compat: options.version === 2 ? '0.10' : '1.1',
    refcount_bits: options.refcountBits,
    compression_type: options.compressionType,
    lazy_refcounts: options.lazyRefcounts,
    extended_l2: options.extendedL2,
    data_file: options.dataFile === undefined ? undefined : dataFile,
    data_file_raw: options.dataFileRaw,
    preallocation: options.preallocation,
    backing_file: options.backingFile,
    backing_fmt: options.backingFormat,
  };
  const list = Object.entries(pairs).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [`${name}=${value === true ? 'on' : value === false ? 'off' : value}`];
  });
  return ['-o', list.join(','), ...(options.backingFile === undefined ? [] : ['-u'])];
}

async function byQemu(options: CreateOptions): Promise<{ path: string; dataFile: string }> {
  const path = fresh();
  const dataFile = `${path}.data`;
  const args = ['create', '-q', '-f', 'qcow2', ...qemuOptions(options, dataFile), path, `${options.size}`];
  await succeed('qemu-img', args);
  return { path, dataFile };
}

/** What `qemu-img info` prints, without what differs from file to file. */
async function info(path: string): Promise<unknown> {
  const printed = await succeed('qemu-img', ['info', '--output', 'json', path]);
  return JSON.parse(printed.replaceAll(dirname(path), '').replaceAll(basename(path), ''), (key, value) =>
    key === 'actual-size' || key === 'children' ? undefined : value,
  );
}

/** What `qemu-img map` prints, without the places in the file, and without what the file system says of its holes. */
async function map(path: string): Promise<unknown[]> {
  const printed = JSON.parse(await succeed('qemu-img', ['map', '--output', 'json', path]));
  assert.ok(Array.isArray(printed));
  const merged: { depth: unknown; present: unknown; zero: unknown; length: number }[] = [];
  for (const { depth, present, zero, length } of printed) {
    const last = merged.at(-1);
    const alike = last?.depth === depth && last?.present === present && (present || last?.zero === zero);
    if (last && alike) last.length += length;
    else merged.push({ depth, present, zero: present ? undefined : zero, length });
  }
  return merged;
}

const SAME: CreateOptions[] = [
  { size: 10 * MIB, lazyRefcounts: true },
  { size: 10 * MIB, extendedL2: true, clusterSize: 16_384, compressionType: 'zstd' },
  { size: 10 * MIB, dataFile: 'x' },
  { size: 10 * MIB, dataFile: 'x', dataFileRaw: true },
  { size: 10 * MIB, dataFile: 'x', backingFile: 'b', backingFormat: 'raw' },
  { size: 3 * MIB, dataFile: 'x', preallocation: 'falloc', clusterSize: 4096 },
  { size: 3 * MIB, extendedL2: true, preallocation: 'metadata' },
  { size: 3 * MIB, extendedL2: true, preallocation: 'falloc', backingFile: 'b', backingFormat: 'raw' },
  { size: 3 * MIB + 512, preallocation: 'metadata', version: 2 },
  { size: 3 * MIB, preallocation: 'metadata', clusterSize: 512, refcountBits: 64 },
  { size: 3 * MIB + 512, preallocation: 'falloc', refcountBits: 1 },
  { size: 3 * MIB, preallocation: 'full' },
];

describe('a new image is as the one that QEMU makes', () => {
  for (const options of SAME) {
    it(JSON.stringify(options), async () => {
      const theirs = await byQemu(options);
      const path = fresh();
      const dataFile = `${path}.data`;
      await createQcow2(path, { ...options, ...(options.dataFile && { dataFile }), sync: false });
      if (options.backingFile === undefined) {
        await qemuImgCheck(path);
        assert.deepEqual(await map(path), await map(theirs.path));
        await qemuImgCompare(path, 'qcow2', theirs.path, 'qcow2');
        // QEMU fills the clusters of its structures, where these are holes.
        const [ours, qemus] = [(await stat(path)).blocks, (await stat(theirs.path)).blocks];
        assert.ok(Math.abs(ours - qemus) * 512 <= 384 * 1024, `${ours} and ${qemus} blocks`);
      }
      assert.deepEqual(await info(path), await info(theirs.path));
      const checked = await checkQcow2(path);
      assert.equal(checked.corruptions + checked.leaks + checked.checkErrors, 0);
      if (options.dataFile === undefined) return;
      const [ours, qemus] = [await stat(dataFile), await stat(theirs.dataFile)];
      assert.equal(ours.size, qemus.size);
      // QEMU keeps the first block for itself, to find out how the file may be read.
      assert.ok(qemus.blocks - ours.blocks >= 0 && qemus.blocks - ours.blocks <= 8);
    });
  }

  it('a raw data file under extended L2 entries is all there, other than in the one that QEMU makes', async () => {
    const path = fresh();
    await createQcow2(path, { size: MIB, extendedL2: true, dataFile: 'raw', dataFileRaw: true });
    await writeFile(folder.join('raw'), Buffer.alloc(MIB, 5));
    const io = ['-c', 'read -P 5 0 1M', `driver=qcow2,file.filename=${path}`];
    const image = ['--image-opts', ...io.slice(0, 2), `${io[2]},data-file.filename=${folder.join('raw')}`];
    assert.doesNotMatch(await succeed('qemu-io', image), /failed/i);
  });

  it('trap 22: a data file is found from the folder of the image, and holds the disk', async () => {
    const path = fresh();
    await createQcow2(path, { size: MIB, extendedL2: true, dataFile: 'disk.raw', dataFileRaw: true });
    const dataFile = followDataFile();
    await using disk = await openQcow2(path, { writable: true, backing: denyBacking, dataFile });
    await disk.write(Buffer.alloc(512, 6), 4096);
    await disk.close();
    const expected = Buffer.alloc(MIB).fill(6, 4096, 4096 + 512);
    assert.ok((await readFile(folder.join('disk.raw'))).equals(expected));
    assert.deepEqual((await checkQcow2(path)).corruptions, 0);
  });

  for (const version of [2, 3] as const) {
    it(`trap 30: 64 TiB in version ${version} cost no more than their few tables`, async () => {
      const path = fresh();
      const before = process.memoryUsage().rss;
      await createQcow2(path, { size: 64 * TIB, version });
      assert.ok(process.memoryUsage().rss - before < 64 * MIB);
      assert.ok((await stat(path)).blocks * 512 <= 256 * 1024);
      await qemuImgCheck(path);
    });
  }

  it('writes tables of gigabytes a piece at a time', async () => {
    const path = fresh();
    const before = process.memoryUsage().rss;
    await createQcow2(path, {
      size: 8 * 1024 * MIB,
      clusterSize: 4096,
      preallocation: 'metadata',
      sync: false,
    });
    assert.ok(process.memoryUsage().rss - before < 100 * MIB);
    await using disk = await openQcow2(path, { backing: denyBacking });
    assert.deepEqual(await Array.fromAsync(disk.ownExtents(disk.size - 4 * MIB, 4 * MIB)), [
      { offset: disk.size - 4 * MIB, length: 4 * MIB, kind: 'data', depth: 0 },
    ]);
  });
});

describe('a new image that is encrypted', () => {
  for (const options of [
    {},
    { version: 2 },
    { preallocation: 'metadata', clusterSize: 4096 },
    { preallocation: 'full', extendedL2: true },
    { extendedL2: true, dataFile: folder.join('secret'), dataFileRaw: true },
    { lazyRefcounts: true, compressionType: 'zstd', clusterSize: 512 },
  ] satisfies Partial<CreateOptions>[]) {
    it(`trap 33: is opened, read and written by QEMU: ${JSON.stringify(options)}`, async () => {
      const image = { path: fresh(), secret: 'abc' };
      await createQcow2(image.path, { size: MIB, encryption: QUICK, ...options });
      await checkWithQemu(image);
      assert.ok((await readWithQemu(image)).equals(Buffer.alloc(MIB)));
      await writeWithQemu(image, 4096, Buffer.alloc(8192, 7));
      await checkWithQemu(image);
      const expected = Buffer.alloc(MIB);
      expected.fill(7, 4096, 3 * 4096);
      assert.ok((await readWithQemu(image)).equals(expected));
      const wrong = await tryQemuIo({ ...image, secret: 'no' }, 'read 0 512');
      assert.match(wrong.stderr, /[Ii]nvalid password/);
    });
  }

  it('is opened by this engine, with the cipher that was asked for', async () => {
    const path = fresh();
    const cipher = { cipherAlg: 'aes-128', cipherMode: 'cbc', ivgenAlg: 'essiv', hashAlg: 'sha512' } as const;
    await createQcow2(path, { size: MIB, encryption: { passphrase, iterTime: 1, ...cipher } });
    const encryption = { passphrase };
    await using disk = await openQcow2(path, { writable: true, backing: denyBacking, encryption });
    await disk.write(Buffer.alloc(512, 3), 512);
    await disk.resize(2 * MIB, { preallocation: 'metadata' });
    await disk.close();
    const bytes = await readWithQemu({ path, secret: 'abc' });
    assert.ok(bytes.equals(Buffer.concat([Buffer.alloc(512), Buffer.alloc(512, 3)], 2 * MIB)));
    await checkWithQemu({ path, secret: 'abc' });
  });

  it('refuses a cipher that QEMU does not open, and leaves no file', async () => {
    const path = fresh();
    const encryption = { ...QUICK, cipherAlg: 'aes-192', cipherMode: 'cbc' } as const;
    await refused(createQcow2(path, { size: MIB, encryption }), 'unsupported', /aes-192/);
    assert.ok(!(await readdir(folder.path)).includes(basename(path)));
  });
});

describe('options that do not go together', () => {
  const backing = { backingFile: 'b', backingFormat: 'raw' };
  for (const [option, options] of [
    ['lazyRefcounts', { version: 2, lazyRefcounts: true }],
    ['extendedL2', { version: 2, extendedL2: true }],
    ['clusterSize', { extendedL2: true, clusterSize: 8192 }],
    ['dataFile', { version: 2, dataFile: 'x' }],
    ['dataFileRaw', { dataFileRaw: true }],
    ['dataFileRaw', { dataFile: 'x', dataFileRaw: true, ...backing }],
    ['preallocation', { preallocation: 'metadata', ...backing }],
    ['preallocation', { preallocation: 'full', dataFile: 'x', ...backing }],
  ] satisfies [string, Partial<CreateOptions>][]) {
    it(`are refused by name, as by QEMU: ${JSON.stringify(options)}`, async () => {
      const path = fresh();
      const all = { size: MIB, ...options };
      const error = await refused(createQcow2(path, all), 'out-of-range');
      assert.equal(error.data['option'], option);
      await assert.rejects(stat(path));
      const args = ['create', '-f', 'qcow2', ...qemuOptions(all, `${path}.data`), fresh(), `${MIB}`];
      assert.equal((await run('qemu-img', args)).code, 1);
    });
  }

  for (const [option, options] of [
    ['preallocation', { version: 2, encryption: QUICK, preallocation: 'metadata' }],
    ['preallocation', { preallocation: 'all' as 'full' }],
    [
      'preallocation',
      { size: 128 * 1024 ** 3, clusterSize: 512, refcountBits: 64, preallocation: 'metadata' },
    ],
    ['dataFile', { dataFile: 'nbd:unix:socket' }],
    ['dataFile', { dataFile: '' }],
  ] satisfies [string, Partial<CreateOptions>][]) {
    it(`are refused by name: ${JSON.stringify(options).slice(0, 60)}`, async () => {
      const error = await refused(createQcow2(fresh(), { size: MIB, ...options }), 'out-of-range');
      assert.equal(error.data['option'], option);
    });
  }
});

describe('a data file that is there', () => {
  it('is in the way, and neither file changes', async () => {
    const [path, data] = [fresh(), folder.join('taken')];
    await writeFile(data, 'precious');
    const error = await refused(createQcow2(path, { size: MIB, dataFile: 'taken' }), 'exists', /dataFile/);
    assert.match(error.hint ?? '', /overwriteDataFile/);
    assert.equal(await readFile(data, 'utf8'), 'precious');
    await assert.rejects(stat(path));
  });

  it('loses what it holds where that is asked for', async () => {
    const [path, data] = [fresh(), folder.join('spent')];
    await writeFile(data, 'spent');
    await createQcow2(path, { size: MIB, dataFile: 'spent', dataFileRaw: true, overwriteDataFile: true });
    assert.ok((await readFile(data)).equals(Buffer.alloc(MIB)));
  });

  it('is never the image itself', async () => {
    const path = fresh();
    await symlink(path, `${path}.link`);
    const options = { size: MIB, dataFile: `${path}.link`, overwriteDataFile: true };
    await refused(createQcow2(path, options), 'out-of-range', /another file than the image/);
    await assert.rejects(stat(path));
  });
});

describe('an image that cannot be made', () => {
  it('leaves no file when the host has no room', async () => {
    const path = fresh();
    const options = { size: 2 ** 50, clusterSize: 2 ** 21, preallocation: 'falloc' } as const;
    await assert.rejects(createQcow2(path, options), (error) => CalveError.is(error));
    await assert.rejects(stat(path));
  });

  it('leaves no file when it is aborted', async () => {
    const path = fresh();
    const options = { size: MIB, dataFile: `${path}.data`, preallocation: 'full' } as const;
    await refused(createQcow2(path, { ...options, signal: AbortSignal.abort() }), 'aborted', /was aborted/);
    await assert.rejects(stat(path));
    await assert.rejects(stat(`${path}.data`));
  });
});
