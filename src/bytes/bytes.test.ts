import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { struct, U32BE } from 'micro-packed';
import { flags64BE } from './flags64be.ts';
import { formatBytes } from './format-bytes.ts';
import { isZero } from './is-zero.ts';
import { offset64BE } from './offset64be.ts';

describe('offset64BE', () => {
  it('keeps every offset that a number can hold', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (offset) => offset64BE.decode(offset64BE.encode(offset)) === offset),
    );
    for (const offset of [0, 1, 2 ** 31, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
      assert.equal(offset64BE.decode(offset64BE.encode(offset)), offset);
    }
    assert.deepEqual(offset64BE.encode(0x0102_0304_0506), Uint8Array.of(0, 0, 1, 2, 3, 4, 5, 6));
  });

  it('refuses one past that, and what is no offset, by its value', () => {
    const field = Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0);
    assert.throws(() => offset64BE.decode(field), {
      code: 'out-of-range',
      message: 'expected an offset from 0 to 2^53 - 1, got 9007199254740992',
    });
    assert.throws(() => offset64BE.decode(new Uint8Array(8).fill(255)), { code: 'out-of-range' });
    for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.throws(() => offset64BE.encode(value), { code: 'out-of-range' }, `${value}`);
    }
    assert.throws(() => struct({ a: U32BE, b: offset64BE }).decode(Buffer.alloc(12, 255)), {
      code: 'out-of-range',
    });
  });
});

describe('flags64BE', () => {
  const flags = flags64BE({ dirty: 0, corrupt: 1, last: 63 });

  it('names the bits it knows, and numbers the others', () => {
    assert.deepEqual(
      flags.decode(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 1, 0b101)),
      new Set(['dirty', 2, 8, 'last']),
    );
    assert.deepEqual(flags.encode(new Set(['corrupt', 2, 40])), Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0b110));
    assert.deepEqual(flags.encode(new Set()), new Uint8Array(8));
  });

  it('loses no bit on the way through', () => {
    const field = fc.uint8Array({ minLength: 8, maxLength: 8 });
    fc.assert(fc.property(field, (bytes) => assert.deepEqual(flags.encode(flags.decode(bytes)), bytes)));
  });

  it('takes a known bit by its number too, and refuses what is no bit', () => {
    assert.deepEqual(flags.encode(new Set(['dirty', 0])), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1));
    for (const bit of [64, -1, 0.5]) {
      assert.throws(() => flags.encode(new Set([bit])), { code: 'out-of-range' }, `${bit}`);
    }
  });
});

describe('isZero', () => {
  it('is true of zeros alone, of any length, and finds one bit anywhere', () => {
    for (const length of [0, 1, 7, 4096, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = new Uint8Array(length + 3).fill(1).fill(0, 1, length + 1);
      const middle = bytes.subarray(1, length + 1);
      assert.equal(isZero(middle), true, `${length}`);
      for (const at of [0, length >> 1, length - 1]) {
        if (at < 0 || at >= length) continue;
        middle[at] = 0x10;
        assert.equal(isZero(middle), false, `${at} of ${length}`);
        middle[at] = 0;
      }
    }
  });
});

describe('formatBytes', () => {
  it('takes the unit that leaves at most four digits', () => {
    const cases = [
      [0, '0 B'],
      [1023, '1023 B'],
      [1024, '1 KiB'],
      [65_536, '64 KiB'],
      [1536 * 1024 ** 2, '1.5 GiB'],
      [1_000_000, '976.6 KiB'],
      [1024 ** 2 - 1, '1 MiB'],
      [Number.MAX_SAFE_INTEGER, '8 PiB'],
    ] as const;
    for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
  });
});
