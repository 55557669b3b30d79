import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { amendBesideQemu, qemuInfo } from '../../../test/support/amend-beside-qemu.ts';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuImgCompare, qemuIo } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { ErrorCode } from '../../errors/index.ts';
import type { Amendment, AmendProgress } from './amend-options.ts';
import { amendQcow2 } from './amend-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);

async function make(name: string, options: string): Promise<string> {
  const path = folder.join(name);
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, '1M']);
  return path;
}

const rebase = (...args: string[]) => {
  return (path: string) => succeed('qemu-img', ['rebase', '-u', '-f', 'qcow2', ...args, path]);
};

describe('names and flags, as QEMU writes them', () => {
  const cases: [string, string, Amendment, string | ReturnType<typeof rebase>][] = [
    ['lazy refcounts on', 'compat=1.1', { lazyRefcounts: true }, 'lazy_refcounts=on'],
    ['lazy refcounts off', 'lazy_refcounts=on', { lazyRefcounts: false }, 'lazy_refcounts=off'],
    [
      'a backing file where there was none',
      'cluster_size=4k',
      { backingFile: 'no such file', backingFormat: 'qcow2' },
      rebase('-b', 'no such file', '-F', 'qcow2'),
    ],
    [
      'another backing file, in version 2',
      'compat=0.10,backing_file=a/long/name/of/a/base,backing_fmt=raw',
      { backingFile: 'ü', backingFormat: 'qcow2' },
      rebase('-b', 'ü', '-F', 'qcow2'),
    ],
    [
      'another format alone',
      'backing_file=base,backing_fmt=raw',
      { backingFormat: 'qcow2' },
      rebase('-b', 'base', '-F', 'qcow2'),
    ],
    ['no backing file', 'backing_file=base,backing_fmt=raw', { backingFile: null }, rebase('-b', '')],
  ];
  for (const [name, options, amendment, qemu] of cases) {
    it(name, async () => {
      const unopened = options.includes('backing_file') ? ['-u'] : [];
      const image = folder.join(name);
      const create = ['create', '-q', ...unopened, '-f', 'qcow2', '-o', options, image, '1M'];
      await succeed('qemu-img', create);
      const ours = `${image}.calve`;
      const theirs = `${image}.qemu`;
      await copyFile(image, ours);
      await copyFile(image, theirs);
      await amendQcow2(ours, amendment);
      if (typeof qemu === 'string') await succeed('qemu-img', ['amend', '-o', qemu, theirs]);
      else await qemu(theirs);
      assert.ok((await readFile(ours)).equals(await readFile(theirs)));
    });
  }

  it('the name of an external data file, and that it need not be a raw image', async () => {
    const data = folder.join('one.raw');
    const image = await make('external', `data_file=${data},data_file_raw=on`);
    await copyFile(data, folder.join('another.raw'));
    const dataFile = folder.join('another.raw');
    const amendment = { dataFile, dataFileRaw: false };
    await amendBesideQemu(image, {
      amendment,
      qemu: `data_file=${dataFile},data_file_raw=off`,
      trusted: false,
    });
  });

  it('what is so already is not written', async () => {
    const image = await make('same', 'compat=1.1');
    const before = await readFile(image);
    const header = await amendQcow2(image, { version: 3, refcountBits: 16, lazyRefcounts: false });
    assert.equal(header.version, 3);
    assert.ok((await readFile(image)).equals(before));
  });

  it('trap 5: unknown extensions stay, and nothing is left of a longer name', async () => {
    const path = await make('extended', 'compat=1.1');
    const image = await DamagedImage.open(path);
    const names = image.extension(0x6803f857) - 8;
    image.bytes.writeUInt32BE(0x12345678, names);
    await image.save();
    await amendQcow2(path, { backingFile: 'secret/place', backingFormat: 'raw' });
    await amendQcow2(path, { backingFile: null });
    const amended = await DamagedImage.open(path);
    assert.ok(amended.extension(0x12345678) > 0);
    assert.ok(!amended.bytes.includes('secret/place'));
  });

  it('trap 4: unknown autoclear features are cleared first, bitmaps stay', async () => {
    const path = await images.damaged('bitmaps', (image) => image.change(88, (bits) => bits | 0x100n));
    await amendQcow2(path, { lazyRefcounts: true });
    assert.equal((await DamagedImage.open(path)).get(88), 1n);
    await qemuImgCheck(path);
    assert.match(JSON.stringify([...(await qemuInfo(path))]), /"name":"b1"/);
  });
});

describe('what is refused', () => {
  const long = 'x'.repeat(1024);
  const cases: [string, string, Amendment, ErrorCode, RegExp, string[]][] = [
    [
      'a width of 3 bits',
      'compat=1.1',
      { refcountBits: 3 },
      'out-of-range',
      /refcountBits/,
      ['amend', '-o', 'refcount_bits=3'],
    ],
    [
      'other widths in version 2',
      'compat=0.10',
      { refcountBits: 8 },
      'out-of-range',
      /16 in version 2/,
      ['amend', '-o', 'refcount_bits=8'],
    ],
    [
      'lazy refcounts in version 2',
      'compat=0.10',
      { lazyRefcounts: true },
      'out-of-range',
      /lazyRefcounts/,
      ['amend', '-o', 'lazy_refcounts=on'],
    ],
    [
      'version 2 and another width at once',
      'compat=1.1',
      { version: 2, refcountBits: 8 },
      'out-of-range',
      /refcountBits/,
      ['amend', '-o', 'compat=0.10,refcount_bits=8'],
    ],
    [
      'version 2 of another width',
      'refcount_bits=8',
      { version: 2 },
      'unsupported',
      /refcounts of 8 bits/,
      ['amend', '-o', 'compat=0.10'],
    ],
    [
      'version 2 of extended L2 entries',
      'extended_l2=on,refcount_bits=1',
      { version: 2 },
      'unsupported',
      /refcounts of 1 bits, extended L2 entries/,
      ['amend', '-o', 'compat=0.10,refcount_bits=16'],
    ],
    [
      'version 2 of an image with a data file',
      'data_file=DATA',
      { version: 2 },
      'unsupported',
      /external data file/,
      ['amend', '-o', 'compat=0.10'],
    ],
    [
      'a data file of an image without one',
      'compat=1.1',
      { dataFile: 'x' },
      'unsupported',
      /external data file/,
      ['amend', '-o', 'data_file=x'],
    ],
    [
      'that a data file becomes raw',
      'data_file=DATA',
      { dataFileRaw: true },
      'unsupported',
      /raw/,
      ['amend', '-o', 'data_file_raw=on'],
    ],
    [
      'a backing file over a raw data file',
      'data_file=DATA,data_file_raw=on',
      { backingFile: 'x', backingFormat: 'raw' },
      'unsupported',
      /raw/,
      ['rebase', '-u', '-b', 'x', '-F', 'raw'],
    ],
    [
      'a backing file without a format',
      'compat=1.1',
      { backingFile: 'x' },
      'usage',
      /format/,
      ['rebase', '-u', '-b', 'x'],
    ],
    [
      'trap 6: a name of 1024 bytes',
      'compat=1.1',
      { backingFile: long, backingFormat: 'raw' },
      'out-of-range',
      /1023/,
      ['rebase', '-u', '-b', long, '-F', 'raw'],
    ],
    [
      'a name that does not fit into the header',
      'cluster_size=512',
      { backingFile: long.slice(512), backingFormat: 'raw' },
      'out-of-range',
      /header/,
      ['rebase', '-u', '-b', long.slice(512), '-F', 'raw'],
    ],
  ];
  for (const [name, options, amendment, code, pattern, qemu] of cases) {
    it(`${name}, as by QEMU, and nothing is changed`, async () => {
      const path = await make('refused', options.replace('DATA', folder.join(`${name}.raw`)));
      const before = await readFile(path);
      await refused(amendQcow2(path, amendment), code, pattern);
      assert.ok((await readFile(path)).equals(before));
      const ran = await run('qemu-img', [...qemu, path]);
      assert.equal(ran.code, 1, report(ran));
    });
  }

  it('bitmaps in version 2, which QEMU drops', async () => {
    const path = await images.damaged('bitmaps', () => {});
    const before = await readFile(path);
    const error = await refused(amendQcow2(path, { version: 2 }), 'unsupported', /bitmaps/);
    assert.match(error.hint ?? '', /bitmap --remove/);
    assert.deepEqual(error.data['features'], ['bitmaps']);
    assert.ok((await readFile(path)).equals(before));
  });

  it('a format of no backing file, an unknown version, a name with a zero byte', async () => {
    const path = await make('bare', 'compat=1.1');
    await refused(amendQcow2(path, { backingFormat: 'raw' }), 'usage', /backing file/);
    await refused(amendQcow2(path, { backingFile: null, backingFormat: 'raw' }), 'usage', /backing file/);
    // @ts-expect-error: no such version
    await refused(amendQcow2(path, { version: 4 }), 'out-of-range', /version/);
    const names = { backingFile: 'a\0b', backingFormat: 'raw' };
    await refused(amendQcow2(path, names), 'out-of-range', /zero bytes/);
  });

  it('trap 10: an image marked corrupt', async () => {
    const path = await images.damaged('plain', (image) => image.change(72, (bits) => bits | 2n));
    const error = await refused(amendQcow2(path, { lazyRefcounts: true }), 'corrupt', /marked corrupt/);
    assert.match(error.hint ?? '', /check -r all/);
  });

  it('an image that somebody has open, naming who', async () => {
    const path = await make('held', 'compat=1.1');
    await using holder = await holdInQemuIo(path);
    const error = await refused(amendQcow2(path, { lazyRefcounts: true }), 'in-use', /qemu-io/);
    assert.match(JSON.stringify(error.data['holders']), new RegExp(String(holder.pid)));
  });
});

describe('an amendment', () => {
  it('trap 10: repairs an image that was not closed first', async () => {
    const path = await images.damaged('plain', (image) => {
      image.change(72, (bits) => bits | 1n);
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 0);
    });
    await amendQcow2(path, { refcountBits: 8 });
    await qemuImgCheck(path);
    await qemuImgCompare(path, 'qcow2', await images.path('plain'), 'qcow2');
    await qemuIo(path, ['write -P 3 1M 100k']);
    await qemuImgCheck(path);
  });

  it('tells how far it is, and ends when asked to, with the image as it was', async () => {
    const path = await images.damaged('clusters of 512 bytes', () => {});
    const before = await readFile(path);
    const stop = new AbortController();
    const onProgress = ({ stage }: AmendProgress) => {
      if (stage === 'refcounts') stop.abort();
    };
    const options = { refcountBits: 64, signal: stop.signal, onProgress };
    await refused(amendQcow2(path, options), 'aborted');
    assert.ok((await readFile(path)).subarray(0, 512).equals(before.subarray(0, 512)));
    await qemuImgCheck(path);
    const stages = new Map<string, AmendProgress>();
    await amendQcow2(path, {
      refcountBits: 16,
      version: 2,
      onProgress: (progress) => stages.set(progress.stage, progress),
    });
    assert.deepEqual([...stages.keys()], ['check', 'zeros']);
    for (const { done, total } of stages.values()) assert.equal(done, total);
    await qemuImgCheck(path);
  });
});
