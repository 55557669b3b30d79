import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  clusterKind,
  compressedHigh,
  compressedLength,
  compressedLow,
  compressedOffset,
  entryHigh,
  entryLow,
  entryOffset,
  isCopied,
} from './table-entry.ts';

const halves = (entry: bigint): [number, number] => [Number(entry >> 32n), Number(entry & 0xffffffffn)];
const clusterBits = fc.integer({ min: 9, max: 21 });

describe('a table entry', () => {
  it('trap 13: has its offset in bits 9 to 55, whatever the reserved bits say', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (entry) => {
        const offset = BigInt(entryOffset(...halves(entry)));
        assert.equal(offset, entry & 0x00fffffffffffe00n);
      }),
    );
  });

  it('takes any offset there and back, with its COPIED flag', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 31 - 1 }),
        fc.nat({ max: 2 ** 13 - 1 }),
        fc.boolean(),
        (a, b, copied) => {
          const offset = (b * 2 ** 31 + a) * 512;
          const [high, low] = [entryHigh(offset, copied), entryLow(offset)];
          assert.equal(entryOffset(high, low), offset);
          assert.equal(isCopied(high), copied);
          assert.equal(BigInt(high) >> 31n, copied ? 1n : 0n);
        },
      ),
    );
  });

  it('trap 14: is zero with and without a cluster of its own', () => {
    const kind = (entry: bigint) => clusterKind(...halves(entry));
    assert.equal(kind(0n), 'unallocated');
    assert.equal(kind(1n), 'zero');
    assert.equal(kind(0x8000000000050000n), 'data');
    assert.equal(kind(0x8000000000050001n), 'zero-allocated');
    assert.equal(kind(0x0080000000000000n), 'data');
    assert.equal(kind(0x4000000000000001n), 'compressed');
    // Reserved bits alone, and a COPIED flag alone, allocate nothing.
    assert.equal(kind(0xbf000000000001fen & ~(1n << 62n)), 'unallocated');
  });

  it('trap 16: knows where compressed data ends: with the last of its sectors', () => {
    fc.assert(
      fc.property(clusterBits, fc.bigInt({ min: 0n, max: 2n ** 62n - 1n }), (bits, rest) => {
        const entry = (1n << 62n) | rest;
        const shift = BigInt(70 - bits);
        const offset = rest & ((1n << shift) - 1n);
        fc.pre(offset < 2n ** 53n);
        assert.equal(compressedOffset(...halves(entry), bits), Number(offset));
        const sectors = rest >> shift;
        assert.equal(
          compressedLength(...halves(entry), bits),
          Number((sectors + 1n) * 512n - (offset & 511n)),
        );
      }),
    );
  });

  it('writes compressed entries that hold the data', () => {
    fc.assert(
      fc.property(clusterBits, fc.nat(), fc.nat(), (bits, where, size) => {
        const offset = (where * 2 ** 16 + (size % 65_536)) % 2 ** Math.min(53, 70 - bits);
        const length = 1 + (size % 2 ** bits);
        const [high, low] = [compressedHigh(offset, length, bits), compressedLow(offset)];
        assert.equal(clusterKind(high, low), 'compressed');
        assert.equal(isCopied(high), false);
        assert.equal(compressedOffset(high, low, bits), offset);
        const held = compressedLength(high, low, bits);
        assert.ok(held >= length && held < length + 512);
        assert.equal((offset + held) % 512, 0);
      }),
    );
  });
});
