import assert from 'node:assert/strict';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CipherSpec, parseCipherSpec } from './cipher-spec.ts';
import { openSectorCipher } from './open-sector-cipher.ts';
import { SECTOR } from './sector-cipher.ts';

/** Counts on from 0 to 255 twice, as the standard's vectors of 512 bytes do. */
const COUNTING = Buffer.from(Array.from({ length: SECTOR }, (_, at) => at % 256));
const KEY_OF_4 = '2718281828459045235360287471352631415926535897932384626433832795';
const KEY_FROM_10 =
  '27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592';

/**
 * IEEE 1619-2007, annex B. Blocks do not depend on later ones, so the vectors of 32 bytes say how a sector begins. Of those
 * of 512 bytes, the first and the last 32 bytes.
 */
const XTS_VECTORS = [
  [
    '1',
    '00'.repeat(32),
    0,
    Buffer.alloc(SECTOR),
    '917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e',
  ],
  [
    '2',
    '11'.repeat(16) + '22'.repeat(16),
    0x3333333333,
    Buffer.alloc(SECTOR, 0x44),
    'c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0',
  ],
  [
    '3',
    `fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0${'22'.repeat(16)}`,
    0x3333333333,
    Buffer.alloc(SECTOR, 0x44),
    'af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89',
  ],
  [
    '4',
    KEY_OF_4,
    0,
    COUNTING,
    '27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c',
    'eb4a427d1923ce3ff262735779a418f20a282df920147beabe421ee5319d0568',
  ],
  [
    '10',
    KEY_FROM_10,
    0xff,
    COUNTING,
    '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b',
    '773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151',
  ],
  [
    '14',
    KEY_FROM_10,
    0xffffffffff,
    COUNTING,
    '64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23',
    '6975be5e0b4efce51cd3e70c25a1fbbbd609d273ad5b0d59631c531f6a0a57b9',
  ],
] as const;

test("xts gives the standard's vectors", () => {
  for (const [name, keyHex, sector, plain, begins, ends = ''] of XTS_VECTORS) {
    const key = Buffer.from(keyHex, 'hex');
    using cipher = openSectorCipher(parseCipherSpec('aes', 'xts-plain64', key.length), key, 'host');
    const position = { host: sector * SECTOR, guest: 0 };
    const bytes = Buffer.from(plain);
    cipher.encrypt(bytes, position);
    assert.ok(bytes.toString('hex').startsWith(begins), `vector ${name} begins`);
    assert.ok(bytes.toString('hex').endsWith(ends), `vector ${name} ends`);
    cipher.decrypt(bytes, position);
    assert.deepEqual(bytes, plain, `vector ${name} back`);
  }
});

/** The same by OpenSSL, one sector after the other, each with a cipher of its own. */
function reference(spec: CipherSpec, key: Buffer, plain: Buffer, firstSector: number): Buffer {
  const sectors: Buffer[] = [];
  for (let at = 0; at < plain.length; at += SECTOR) {
    const number = BigInt(firstSector + at / SECTOR);
    const iv = Buffer.alloc(16);
    iv.writeBigUInt64LE(spec.ivgen === 'plain' ? BigInt.asUintN(32, number) : number);
    const salt = createHash(spec.ivgenHash ?? 'sha256')
      .update(key)
      .digest();
    const salted = createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null).update(iv);
    const bits = spec.mode === 'xts' ? key.length * 4 : key.length * 8;
    const used = spec.mode === 'ecb' ? null : spec.ivgen === 'essiv' ? salted : iv;
    const cipher = createCipheriv(`aes-${bits}-${spec.mode}`, key, used);
    sectors.push(cipher.update(plain.subarray(at, at + SECTOR)));
  }
  return Buffer.concat(sectors);
}

// OpenSSL has no AES-192 in XTS mode: for that, QEMU is the oracle.
const SPECS = [
  ...[32, 64].map((keyBytes) => ({ mode: 'xts', keyBytes }) as const),
  ...[16, 24, 32].flatMap((keyBytes) => (['cbc', 'ctr', 'ecb'] as const).map((mode) => ({ mode, keyBytes }))),
].flatMap(({ mode, keyBytes }) =>
  ['plain', 'plain64', 'essiv:sha256', 'essiv:md5'].map((ivgen) =>
    parseCipherSpec('aes', `${mode}-${ivgen}`, keyBytes),
  ),
);

test('every mode and IV generator encrypts runs of sectors as OpenSSL does single ones, and decrypts them', () => {
  const position = fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 2 ** 32 - 70, max: 2 ** 32 }),
    fc.integer({ min: 0, max: 2 ** 44 - 200 }),
  );
  const sectors = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 60, max: 140 }));
  const cases = fc.record({
    spec: fc.constantFrom(...SPECS),
    sector: position,
    sectors,
    misaligned: fc.integer({ min: 0, max: 7 }),
  });
  fc.assert(
    fc.property(cases, ({ spec, sector, sectors, misaligned }) => {
      const key = randomBytes(spec.keyBytes);
      const plain = randomBytes(sectors * SECTOR);
      const memory = new Uint8Array(misaligned + plain.length + 1).fill(0xa5);
      const bytes = memory.subarray(misaligned, misaligned + plain.length);
      bytes.set(plain);
      using cipher = openSectorCipher(spec, key, 'guest');
      const expected = reference(spec, key, plain, sector);
      // Nothing needs the caller's key any more.
      key.fill(0);
      const at = { host: 512, guest: sector * SECTOR };
      cipher.encrypt(bytes, at);
      assert.ok(expected.equals(bytes), 'encrypted');
      cipher.decrypt(bytes, at);
      assert.ok(plain.equals(bytes), 'decrypted');
      assert.deepEqual([memory[misaligned - 1] ?? 0xa5, memory.at(-1)], [0xa5, 0xa5], 'nothing around it');
    }),
    { numRuns: 300 },
  );
});

test('the offset that is said to count counts, and the other one does not', () => {
  const key = randomBytes(64);
  const encrypted = (counted: 'host' | 'guest', host: number, guest: number) => {
    const bytes = Buffer.from(COUNTING);
    using cipher = openSectorCipher(parseCipherSpec('aes', 'xts-plain64', 64), key, counted);
    cipher.encrypt(bytes, { host, guest });
    return bytes.toString('hex');
  };
  assert.equal(encrypted('host', 1024, 512), encrypted('host', 1024, 4096));
  assert.equal(encrypted('guest', 512, 1024), encrypted('host', 1024, 512));
  assert.notEqual(encrypted('host', 1024, 512), encrypted('guest', 1024, 512));
});

test('parts of sectors are refused and left as they are; so is everything after the end', () => {
  const cipher = openSectorCipher(parseCipherSpec('aes', 'cbc-plain64', 16), randomBytes(16), 'host');
  for (const [length, host] of [
    [511, 0],
    [512, 1],
    [512, 511.5],
    [512, -512],
    [512, Number.NaN],
  ] as const) {
    const bytes = new Uint8Array(length);
    assert.throws(() => cipher.encrypt(bytes, { host, guest: 0 }), { code: 'out-of-range' });
    assert.throws(() => cipher.decrypt(bytes, { host, guest: 0 }), { code: 'out-of-range' });
    assert.deepEqual(bytes, new Uint8Array(length));
  }
  cipher[Symbol.dispose]();
  cipher[Symbol.dispose]();
  assert.throws(() => cipher.decrypt(new Uint8Array(SECTOR), { host: 0, guest: 0 }), { code: 'closed' });
});
