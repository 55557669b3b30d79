import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateRawSync, constants as zlib, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { CalveError } from '../../errors/index.ts';
import { decompressCluster } from './decompress-cluster.ts';

const CLUSTER = 65536;
const text = Buffer.alloc(CLUSTER, 'a cluster of text that compresses well; ');
const noise = randomBytes(CLUSTER);
/** How much around a cluster must stay as it is: libzstd is given addresses. */
const GUARD = 64;

interface Way {
  readonly type: 'zlib' | 'zstd';
  readonly library?: null;
}

/** With libzstd as it is called where it can be, and by `node:zlib`. */
const ways: readonly (readonly [string, Way])[] = [
  ['zlib', { type: 'zlib' }],
  ['zstd', { type: 'zstd' }],
  ['zstd of node:zlib', { type: 'zstd', library: null }],
];
const zstds = ways.slice(1);

function compress(type: 'zlib' | 'zstd', content: Uint8Array): Buffer {
  return type === 'zlib' ? deflateRawSync(content) : zstdCompressSync(content);
}

function unpack({ type, library }: Way, from: Uint8Array, length = CLUSTER): Buffer {
  const around = Buffer.alloc(length + 2 * GUARD, 0xee);
  const into = around.subarray(GUARD, GUARD + length);
  try {
    decompressCluster(type, from, into, library);
  } finally {
    const guards = [around.subarray(0, GUARD), around.subarray(GUARD + length)];
    for (const guard of guards)
      assert.ok(guard.equals(Buffer.alloc(GUARD, 0xee)), 'written past the cluster');
  }
  return into;
}

function assertCorrupt(run: () => unknown, message = /./): void {
  assert.throws(run, (error) => CalveError.is(error, 'corrupt') && message.test(error.message));
}

for (const [name, way] of ways) {
  const { type } = way;

  test(`${name}: a cluster comes back, whatever follows it`, () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 600 }),
        fc.integer({ min: 9, max: 17 }),
        fc.uint8Array({ maxLength: 600 }),
        (pattern, bits, after) => {
          const content = Buffer.alloc(2 ** bits, pattern);
          const from = Buffer.concat([compress(type, content), after]);
          assert.ok(unpack(way, from, content.length).equals(content));
        },
      ),
      { numRuns: 100 },
    );
  });

  test(`${name}: clusters of noise and of 2 MiB come back`, () => {
    assert.ok(unpack(way, compress(type, noise)).equals(noise));
    const large = Buffer.alloc(2 ** 21, noise);
    assert.ok(unpack(way, compress(type, large), large.length).equals(large));
  });

  test(`${name}: a byte less or more than a cluster is corrupt`, () => {
    assertCorrupt(() => unpack(way, compress(type, text.subarray(1))));
    assertCorrupt(() => unpack(way, compress(type, Buffer.alloc(CLUSTER + 1))));
    assertCorrupt(() => unpack(way, Buffer.alloc(0)));
  });

  test(`${name}: a stream cut short is corrupt`, () => {
    const whole = compress(type, text);
    assertCorrupt(() => unpack(way, whole.subarray(0, whole.length / 2)));
  });

  test(`${name}: 64 MiB of zeros in a few kilobytes are given up at the end of the cluster`, () => {
    const params = { [zlib.ZSTD_c_contentSizeFlag]: 0 };
    const zeros = Buffer.alloc(2 ** 26);
    const bomb = type === 'zlib' ? deflateRawSync(zeros) : zstdCompressSync(zeros, { params });
    assert.ok(bomb.length < CLUSTER * 2);
    assertCorrupt(() => unpack(way, bomb), /larger than 65536 bytes|Destination buffer is too small/);
  });

  test(`${name}: changed bytes unpack or are corrupt, and nothing else`, () => {
    const whole = compress(type, Buffer.concat([text.subarray(0, 3000), noise.subarray(0, 1096)]));
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 5 }),
        fc.nat(whole.length),
        (changes, length) => {
          const mutant = Buffer.from(whole);
          for (const { at, to } of changes) mutant[at] = to;
          try {
            unpack(way, mutant.subarray(0, length || whole.length), 4096);
          } catch (error) {
            assert.ok(CalveError.is(error, 'corrupt'), String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test(`${name}: rubbish unpacks or is corrupt, and nothing else`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (rubbish) => {
        const magic = type === 'zstd' ? [0x28, 0xb5, 0x2f, 0xfd] : [];
        try {
          unpack(way, Buffer.from([...magic, ...rubbish]), 512);
        } catch (error) {
          assert.ok(CalveError.is(error, 'corrupt'), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
}

test('trap 17: zlib: a window of 15 bits is read, and so is a stream whose end is cut off behind the cluster', () => {
  const far = Buffer.concat([noise.subarray(0, 32000), noise.subarray(0, 32000), Buffer.alloc(1536)]);
  const wide = deflateRawSync(far, { windowBits: 15 });
  assert.ok(wide.length < 40000, 'the far match is used');
  assert.ok(unpack({ type: 'zlib' }, wide).equals(far));
  const unfinished = deflateRawSync(text, { finishFlush: zlib.Z_SYNC_FLUSH });
  assert.ok(unpack({ type: 'zlib' }, unfinished).equals(text));
});

for (const [name, way] of zstds) {
  test(`trap 18: ${name}: several frames, empty and skippable ones among them, make one cluster`, () => {
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
    const frames = [
      skippable,
      zstdCompressSync(text.subarray(0, 30000)),
      zstdCompressSync(Buffer.alloc(0)),
      zstdCompressSync(text.subarray(30000), { params: { [zlib.ZSTD_c_checksumFlag]: 1 } }),
      Buffer.from('the next cluster'),
    ];
    assert.ok(unpack(way, Buffer.concat(frames)).equals(text));
    assertCorrupt(() => unpack(way, Buffer.concat(frames.slice(0, 3))));
  });

  test(`${name}: frames without end that hold nothing are refused`, () => {
    const empty = zstdCompressSync(Buffer.alloc(0));
    assertCorrupt(() => unpack(way, Buffer.concat(Array.from({ length: 5000 }, () => empty))), /1024 frames/);
  });

  test(`${name}: a window that no cluster needs is refused before it is allocated`, () => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 1, 0, 0]);
    assertCorrupt(() => unpack(way, frame), /window/);
  });

  test(`${name}: a frame that claims more than a cluster is refused by its header`, () => {
    assertCorrupt(() => unpack(way, zstdCompressSync(Buffer.alloc(CLUSTER + 1))), /holds 65537 bytes/);
  });

  test(`${name}: a wrong checksum is corrupt`, () => {
    const frame = zstdCompressSync(text, { params: { [zlib.ZSTD_c_checksumFlag]: 1 } });
    frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
    assertCorrupt(() => unpack(way, frame));
  });
}
