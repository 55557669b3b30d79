import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEmptyImage } from '../empty-image.ts';
import { decodeHeader } from '../header.ts';
import type { HeaderExtension } from '../header-extensions.ts';
import { encryptionArea, encryptionExtension } from './encryption-area.ts';

const header = decodeHeader(encodeEmptyImage({ size: 1024 ** 2, clusterSize: 65_536 }));
const field = 'encryption header pointer';
const { type } = encryptionExtension({ offset: 65_536, length: 4096 });

function areaOf(...extensions: HeaderExtension[]) {
  return () => encryptionArea({ ...header, extensions });
}

function pointer(offset: bigint, length: bigint): HeaderExtension {
  const data = Buffer.alloc(16);
  data.writeBigUInt64BE(offset);
  data.writeBigUInt64BE(length, 8);
  return { type, data };
}

test('the area comes back from its extension, whichever others there are', () => {
  const area = { offset: 2 ** 40, length: 2_068_480 };
  const other = { type: 0x12345678, data: Buffer.alloc(16) };
  assert.deepEqual(areaOf(other, encryptionExtension(area))(), area);
  assert.deepEqual(areaOf(pointer(65_536n, 592n))(), { offset: 65_536, length: 592 });
});

test('a pointer that is missing, or no pointer, is refused by field and value', () => {
  const cases: [HeaderExtension[], string, unknown][] = [
    [[], field, 'none'],
    [[{ type, data: Buffer.alloc(8) }], field, 8],
    [[{ type, data: Buffer.alloc(24) }], field, 24],
    [[pointer(0n, 4096n)], `${field} offset`, '0'],
    [[pointer(512n, 4096n)], `${field} offset`, '512'],
    [[pointer(2n ** 64n - 512n, 4096n)], `${field} offset`, String(2n ** 64n - 512n)],
    [[pointer(65_536n, 2n ** 64n - 1n)], `${field} length`, String(2n ** 64n - 1n)],
    [[pointer(2n ** 63n, 4096n)], `${field} length`, '4096'],
  ];
  for (const [extensions, name, value] of cases) {
    assert.throws(areaOf(...extensions), { code: 'invalid', data: { field: name, value } });
  }
});
