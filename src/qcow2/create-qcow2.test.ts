import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare } from '../../test/support/qemu.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { CalveError } from '../errors/index.ts';
import { createQcow2, type EmptyImageOptions, encodeEmptyImage } from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (): string => {
  names += 1;
  return folder.join(`${names}.qcow2`);
};

const GIB = 1024 ** 3;

/** The same image by QEMU. */
async function byQemu(options: EmptyImageOptions): Promise<Buffer> {
  const path = fresh();
  const { clusterSize = 65_536, version = 3, refcountBits = 16, compressionType = 'zlib' } = options;
  const more = version === 3 ? `,refcount_bits=${refcountBits},compression_type=${compressionType}` : '';
  const extra = `cluster_size=${clusterSize},compat=${version === 3 ? '1.1' : '0.10'}${more}`;
  const { backingFile, backingFormat } = options;
  const backing = backingFile ? ['-u', '-b', backingFile, '-F', backingFormat ?? ''] : [];
  await succeed('qemu-img', ['create', '-f', 'qcow2', ...backing, '-o', extra, path, `${options.size}`]);
  return readFile(path);
}

describe('a fresh image', () => {
  for (const options of [
    { size: 10 * GIB },
    { size: 0 },
    { size: 10 * GIB, version: 2 },
    { size: GIB, compressionType: 'zstd' },
    { size: GIB, refcountBits: 1 },
    { size: GIB, refcountBits: 64 },
    { size: GIB, backingFile: '../base.qcow2', backingFormat: 'qcow2' },
    { size: GIB, backingFile: 'b', backingFormat: 'raw', version: 2 },
    { size: 512, clusterSize: 512 },
    { size: 10 * 1024 ** 2, clusterSize: 4096, backingFile: 'b', backingFormat: 'raw' },
    { size: GIB, clusterSize: 8192 },
    { size: 8192 * GIB, clusterSize: 2 ** 21 },
  ] satisfies EmptyImageOptions[]) {
    it(`is byte for byte what QEMU makes: ${JSON.stringify(options)}`, async () => {
      const theirs = await byQemu(options);
      const ours = encodeEmptyImage(options);
      assert.equal(ours.length, theirs.length);
      assert.ok(theirs.equals(ours), 'the bytes differ');
    });
  }

  for (const clusterSize of [512, 2048, 65_536, 2 ** 21]) {
    for (const refcountBits of [1, 8, 64]) {
      it(`trap 30: is sound with clusters of ${clusterSize} bytes and refcounts of ${refcountBits} bits`, async () => {
        const path = fresh();
        // At 512 bytes: tables and refcount structures of many clusters each, that count themselves.
        await createQcow2(path, { size: 60 * GIB + 512, clusterSize, refcountBits });
        await qemuImgCheck(path);
        const info: unknown = JSON.parse(await succeed('qemu-img', ['info', '--output', 'json', path]));
        assert.ok(typeof info === 'object' && info !== null);
        assert.equal('virtual-size' in info && info['virtual-size'], 60 * GIB + 512);
        assert.equal('cluster-size' in info && info['cluster-size'], clusterSize);
      });
    }
  }

  it('is a file of the bytes that encodeEmptyImage gives, which are read as the backing file', async () => {
    const [base, path] = [folder.join('base.raw'), fresh()];
    await writeFile(base, Buffer.alloc(100_352, 0x77));
    const options: EmptyImageOptions = { size: 200_704, backingFile: 'base.raw', backingFormat: 'raw' };
    await createQcow2(path, options);
    assert.ok((await readFile(path)).equals(encodeEmptyImage(options)));
    await qemuImgCheck(path);
    const flat = folder.join('flat.raw');
    await writeFile(flat, Buffer.concat([Buffer.alloc(100_352, 0x77), Buffer.alloc(100_352)]));
    await qemuImgCompare(path, 'qcow2', flat, 'raw');
  });

  it('takes the storage of its few structures alone', async () => {
    const path = fresh();
    await createQcow2(path, { size: 32 * 1024 * GIB, clusterSize: 2 ** 21 });
    assert.ok((await stat(path)).blocks * 512 <= 64 * 1024);
  });

  it('never replaces a file, nor opens its backing file', async () => {
    const path = fresh();
    await writeFile(path, 'kept');
    await assert.rejects(createQcow2(path, { size: 512 }), (error) => CalveError.is(error, 'exists'));
    assert.equal(await readFile(path, 'utf8'), 'kept');
    await createQcow2(fresh(), { size: 512, backingFile: '/nowhere/at/all', backingFormat: 'raw' });
  });

  for (const [option, options] of [
    ['size', { size: 100 }],
    ['size', { size: -512 }],
    ['size', { size: 2 ** 53 }],
    ['clusterSize', { size: 512, clusterSize: 256 }],
    ['clusterSize', { size: 512, clusterSize: 2 ** 22 }],
    ['clusterSize', { size: 512, clusterSize: 65_535 }],
    ['refcountBits', { size: 512, refcountBits: 3 }],
    ['refcountBits', { size: 512, refcountBits: 128 }],
    ['refcountBits', { size: 512, refcountBits: 8, version: 2 }],
    ['compressionType', { size: 512, compressionType: 'zstd', version: 2 }],
    ['backingFile', { size: 512, backingFile: 'x'.repeat(1024), backingFormat: 'raw' }],
  ] satisfies [string, EmptyImageOptions][]) {
    it(`refuses the ${option} of ${JSON.stringify(options).slice(0, 80)}`, () =>
      assert.throws(
        () => encodeEmptyImage(options),
        (error) => CalveError.is(error, 'out-of-range') && error.data['option'] === option,
      ));
  }

  it('refuses a disk that no L1 table covers, a name that does not fit, and a backing file of no format', () => {
    assert.throws(
      () => encodeEmptyImage({ size: 256 * GIB, clusterSize: 512 }),
      /size: expected at most 137438953472/,
    );
    const long = { backingFile: 'x'.repeat(1023), backingFormat: 'raw' };
    assert.throws(
      () => encodeEmptyImage({ size: 512, clusterSize: 512, ...long }),
      /expected at most 512 bytes/,
    );
    assert.throws(
      () => encodeEmptyImage({ size: 512, backingFile: 'base' }),
      /its format, got one of the two/,
    );
  });
});
