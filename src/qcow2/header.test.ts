import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { type EmptyImageOptions, encodeEmptyImage } from './empty-image.ts';
import { decodeHeader, encodeHeader } from './header.ts';

/** The first cluster of a fresh image, to be tampered with. */
function header(options: Partial<EmptyImageOptions> = {}): Buffer {
  const clusterSize = options.clusterSize ?? 65_536;
  return Buffer.from(encodeEmptyImage({ size: 2 ** 30, ...options }).subarray(0, clusterSize));
}

function refused(bytes: Uint8Array, code: CalveError['code'], field: string, value: unknown): void {
  assert.throws(
    () => decodeHeader(bytes),
    (error) => {
      assert.ok(CalveError.is(error, code), `expected ${code}, got ${error}`);
      assert.equal(error.data['field'], field);
      assert.deepEqual(error.data['value'], value);
      return true;
    },
  );
}

/** Offsets of the fields that the tests tamper with (specification, "Header"). */
const AT = {
  magic: 0,
  version: 4,
  backingFileOffset: 8,
  backingFileSize: 16,
  clusterBits: 20,
  size: 24,
  cryptMethod: 32,
  l1Size: 36,
  l1Offset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshotCount: 60,
  snapshotsOffset: 64,
  incompatible: 72,
  autoclear: 88,
  refcountOrder: 96,
  headerLength: 100,
  compressionType: 104,
} as const;

function with32(field: keyof typeof AT, value: number, bytes: Buffer = header()): Buffer {
  bytes.writeUInt32BE(value, AT[field]);
  return bytes;
}

function with64(field: keyof typeof AT, value: bigint, bytes: Buffer = header()): Buffer {
  bytes.writeBigUInt64BE(value, AT[field]);
  return bytes;
}

describe('an image header', () => {
  it('trap 1: version 2 has 72 bytes, 16-bit refcounts, no features, and extensions all the same', () => {
    const found = decodeHeader(header({ version: 2, backingFile: 'a/base', backingFormat: 'raw' }));
    assert.equal(found.version, 2);
    assert.equal(found.headerLength, 72);
    assert.equal(found.refcountBits, 16);
    assert.deepEqual(
      [found.incompatible, found.compatible, found.autoclear],
      [new Set(), new Set(), new Set()],
    );
    assert.equal(found.backingFile, 'a/base');
    assert.equal(found.backingFormat, 'raw');
  });

  it('trap 2: is refused when it is not one', () => {
    refused(with32('magic', 0x514649fa), 'invalid', 'magic', '0x514649fa');
    assert.throws(() => decodeHeader(new Uint8Array(71)), /header of 72 bytes, got 71/);
    assert.throws(() => decodeHeader(header().subarray(0, 103)), /header of 104 bytes, got 103/);
  });

  for (const version of [0, 1, 4, 0xffffffff]) {
    it(`trap 2: refuses version ${version}`, () =>
      refused(with32('version', version), 'unsupported', 'version', version));
  }

  for (const bits of [0, 8, 22, 63, 0xffffffff]) {
    it(`trap 2: refuses cluster_bits ${bits}`, () =>
      refused(with32('clusterBits', bits), 'invalid', 'cluster_bits', bits));
  }

  for (const length of [0, 96, 103, 105, 108, 65_544, 0xfffffff8]) {
    it(`trap 2: refuses header_length ${length}`, () =>
      refused(with32('headerLength', length), 'invalid', 'header_length', length));
  }

  it('trap 2: refuses refcounts of 128 bits', () =>
    refused(with32('refcountOrder', 7), 'invalid', 'refcount_order', 7));

  it('trap 2: refuses subclusters under 512 bytes', () => {
    const bytes = header({ clusterSize: 8192 });
    refused(with64('incompatible', 1n << 4n, bytes), 'invalid', 'cluster_bits', 13);
  });

  it('trap 2: refuses a crypt_method and a compression_type that it does not know', () => {
    refused(with32('cryptMethod', 3), 'unsupported', 'crypt_method', 3);
    const bytes = with64('incompatible', 1n << 3n);
    bytes[AT.compressionType] = 2;
    refused(bytes, 'unsupported', 'compression_type', 2);
  });

  it('trap 3: refuses unknown incompatible bits by the name in the feature name table', () => {
    const bytes = with64('incompatible', (1n << 63n) | (1n << 40n));
    // The first row of the table lies behind the extension's eight bytes.
    bytes[121] = 63;
    bytes.fill(0, 122, 168).write('time travel', 122);
    refused(bytes, 'unsupported', 'incompatible_features', [40, 63]);
    assert.throws(() => decodeHeader(bytes), /bit 40, "time travel" \(bit 63\)/);
  });

  it('trap 5: keeps unknown fields, unknown extensions and unknown feature bits when it is written again', () => {
    const bytes = header({ backingFile: 'base', backingFormat: 'qcow2' });
    const longer = Buffer.alloc(65_536);
    bytes.copy(longer, 0, 0, 112);
    with32('headerLength', 128, longer);
    with64('autoclear', (1n << 50n) | 1n, longer);
    longer.write('unknown fields', 107);
    const extension = Buffer.from('12345678000000056675747572000000', 'hex');
    extension.copy(longer, 128);
    bytes.copy(longer, 144, 112, 600);
    with64('backingFileOffset', BigInt(longer.indexOf('base')), longer);
    const found = decodeHeader(longer);
    assert.deepEqual(found.autoclear, new Set(['bitmaps', 50]));
    assert.deepEqual(found.extensions, [{ type: 0x12345678, data: Uint8Array.from(Buffer.from('futur')) }]);
    const again = encodeHeader(found);
    assert.deepEqual(decodeHeader(Buffer.concat([again, Buffer.alloc(65_536 - again.length)])), found);
    assert.equal(Buffer.from(again).toString('latin1', 107, 121), 'unknown fields');
  });

  it('trap 6: ends its extensions where the backing file name begins', () => {
    const bytes = header({ version: 2, backingFile: 'base', backingFormat: 'raw' });
    const name = bytes.indexOf('base');
    // No end marker: the name follows at once, and would be read as an extension.
    bytes.copy(bytes, name - 8, name, name + 4);
    with64('backingFileOffset', BigInt(name - 8), bytes);
    assert.equal(decodeHeader(bytes).backingFile, 'base');
    assert.deepEqual(decodeHeader(bytes).extensions, []);
  });

  it('trap 6: refuses a backing file name over 1023 bytes, or one that leaves the first cluster', () => {
    const named = () => header({ backingFile: 'base', backingFormat: 'raw' });
    refused(with32('backingFileSize', 1024, named()), 'invalid', 'backing_file_size', 1024);
    refused(with64('backingFileOffset', 65_533n, named()), 'invalid', 'backing_file_offset', '65533');
    refused(with64('backingFileOffset', 8n, named()), 'invalid', 'backing_file_offset', '8');
    const far = 2n ** 64n - 1n;
    refused(with64('backingFileOffset', far, named()), 'invalid', 'backing_file_offset', String(far));
    const zero = named();
    zero[zero.indexOf('base') + 1] = 0;
    refused(zero, 'invalid', 'backing file name', '"b\\u0000se"');
  });

  it('trap 6: refuses an extension that is longer than what is left', () => {
    const bytes = header();
    bytes.writeUInt32BE(0xfffffff0, 116);
    refused(bytes, 'invalid', 'header extension', undefined);
  });

  it('trap 7: takes a compression_type only from a header that is long enough', () => {
    const bytes = with32('headerLength', 104);
    bytes[AT.compressionType] = 0;
    assert.equal(decodeHeader(bytes).compressionType, 'zlib');
    with64('incompatible', 1n << 3n, bytes);
    refused(bytes, 'invalid', 'compression_type', 0);
  });

  it('trap 7: refuses a compression_type that incompatible bit 3 does not go with', () => {
    const bytes = header();
    bytes[AT.compressionType] = 1;
    refused(bytes, 'invalid', 'compression_type', 1);
    assert.equal(decodeHeader(with64('incompatible', 1n << 3n, bytes)).compressionType, 'zstd');
    refused(with64('incompatible', 1n << 3n), 'invalid', 'compression_type', 0);
  });

  it('trap 8: refuses tables that are larger than QEMU allows, before anything is allocated', () => {
    refused(with32('l1Size', 4 * 1024 ** 2 + 1), 'invalid', 'l1_size', 4 * 1024 ** 2 + 1);
    refused(with32('l1Size', 0xffffffff), 'invalid', 'l1_size', 0xffffffff);
    refused(with32('refcountTableClusters', 129), 'invalid', 'refcount_table_clusters', 129);
    refused(with32('refcountTableClusters', 0), 'invalid', 'refcount_table_clusters', 0);
    refused(with32('snapshotCount', 65_537), 'invalid', 'nb_snapshots', 65_537);
  });

  it('trap 8: refuses offsets that are unaligned, lie on the header, or overflow', () => {
    const fields = {
      l1Offset: 'l1_table_offset',
      refcountTableOffset: 'refcount_table_offset',
      snapshotsOffset: 'snapshots_offset',
    } as const;
    for (const [field, name] of Object.entries(fields)) {
      assert.ok(field === 'l1Offset' || field === 'refcountTableOffset' || field === 'snapshotsOffset');
      const bad = (value: bigint) => with64(field, value, with32('snapshotCount', 1));
      for (const value of [0n, 1n, 65_535n, 2n ** 53n, 2n ** 64n - 65_536n]) {
        if (field === 'snapshotsOffset') refused(bad(value), 'invalid', name, String(value));
        else refused(with64(field, value), 'invalid', name, String(value));
      }
    }
  });

  it('trap 9: refuses an L1 table that does not cover the disk, and takes the whole sectors of its size', () => {
    refused(with32('l1Size', 1), 'invalid', 'l1_size', 1);
    refused(with64('size', 2n ** 62n), 'invalid', 'size', String(2n ** 62n));
    assert.equal(decodeHeader(with64('size', 2n ** 30n - 1n)).size, 2 ** 30 - 512);
  });
});
