import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants as zlib, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { CalveError } from '../../errors/index.ts';
import { zstdFrame } from './zstd-frame.ts';

test('the length of a frame is that of what zstd wrote, whatever the parameters', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      fc.integer({ min: 1, max: 200 }),
      fc.boolean(),
      fc.boolean(),
      fc.uint8Array({ maxLength: 20 }),
      (piece, times, checksum, contentSize, after) => {
        const content = Buffer.concat(Array.from({ length: times }, () => piece));
        const bytes = zstdCompressSync(content, {
          params: { [zlib.ZSTD_c_checksumFlag]: +checksum, [zlib.ZSTD_c_contentSizeFlag]: +contentSize },
        });
        const frame = zstdFrame(Buffer.concat([Buffer.alloc(3), bytes, after]), 3);
        assert.equal(frame.length, bytes.length);
        assert.equal(frame.skippable, false);
        assert.equal(frame.contentSize, contentSize ? content.length : undefined);
        if (contentSize) assert.ok(frame.windowSize >= Math.min(content.length, 1024));
      },
    ),
    { numRuns: 200 },
  );
});

test('content sizes of every width are read', () => {
  const frame = (...header: number[]) =>
    zstdFrame(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, ...header, 1, 0, 0), 0);
  assert.equal(frame(0x20, 7).contentSize, 7);
  assert.equal(frame(0x60, 1, 1).contentSize, 256 + 257);
  assert.equal(frame(0xa0, 1, 0, 0, 0x80).contentSize, 0x80000001);
  assert.equal(frame(0xe0, 0, 0, 0, 0, 1, 0, 0, 0).contentSize, 2 ** 32);
  assert.equal(frame(0x00, 0x30).contentSize, undefined);
  assert.equal(frame(0x00, 0x30).windowSize, 65536);
  assert.equal(frame(0x00, 0xff).windowSize, 2 ** 41 * (1 + 7 / 8));
  assert.equal(frame(0x23, 1, 2, 3, 4, 9).contentSize, 9, 'a dictionary of four bytes is passed over');
});

test('a skippable frame is as long as it says', () => {
  const bytes = Uint8Array.of(0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2, 99);
  assert.deepEqual(zstdFrame(bytes, 0), {
    length: 10,
    skippable: true,
    contentSize: undefined,
    windowSize: 0,
  });
});

test('what is no frame, or ends too early, is corrupt', () => {
  const good = zstdCompressSync(Buffer.from('one frame of some bytes'));
  for (let length = 0; length < good.length; length += 1)
    assertCorrupt(() => zstdFrame(good.subarray(0, length), 0));
  assertCorrupt(() => zstdFrame(good, 1));
  assertCorrupt(() => zstdFrame(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x08, 0x30, 1, 0, 0), 0));
  assertCorrupt(() => zstdFrame(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x30, 7, 0, 0), 0));
  assertCorrupt(() => zstdFrame(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 1), 0));
});

function assertCorrupt(run: () => unknown): void {
  assert.throws(run, (error) => CalveError.is(error, 'corrupt'));
}
