import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { mergeKey, splitKey } from './anti-forensic.ts';

const HASHES = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'ripemd160'] as const;

test('a split key comes back, for every hash and length of key', () => {
  for (const hash of HASHES) {
    for (const keyBytes of [16, 24, 32, 48, 64]) {
      const key = randomBytes(keyBytes);
      const material = splitKey(key, hash);
      assert.equal(material.length, keyBytes * 4000);
      assert.deepEqual(mergeKey(material, keyBytes, hash), key, `${hash}, ${keyBytes} bytes`);
    }
  }
});

test('one bit changed in any stripe gives another key', () => {
  const key = randomBytes(32);
  const material = splitKey(key, 'sha256');
  for (const stripe of [0, 1, 2000, 3998, 3999]) {
    const changed = Buffer.from(material);
    changed[stripe * 32 + 5] = (changed[stripe * 32 + 5] ?? 0) ^ 4;
    assert.notDeepEqual(mergeKey(changed, 32, 'sha256'), key, `stripe ${stripe}`);
  }
});

test('two splits of one key have nothing in common', () => {
  const key = randomBytes(64);
  const [one, other] = [splitKey(key, 'sha256'), splitKey(key, 'sha256')];
  let equal = 0;
  for (let stripe = 0; stripe < 4000; stripe += 1) {
    const at = stripe * 64;
    if (one.subarray(at, at + 8).equals(other.subarray(at, at + 8))) equal += 1;
  }
  assert.equal(equal, 0);
});

test('stripes are mixed as the specification says: combine, then hash each piece with its number', () => {
  // Zeros make the first steps easy to write down: one stripe of zeros mixes to H(0 || zeros) || H(1 || zeros).
  const piece = (number: number, bytes: Buffer) => {
    const counted = Buffer.concat([Buffer.of(0, 0, 0, number), bytes]);
    return createHash('sha1').update(counted).digest();
  };
  let mixed: Buffer = Buffer.alloc(32);
  for (let stripe = 0; stripe < 3999; stripe += 1) {
    const [first, last] = [mixed.subarray(0, 20), mixed.subarray(20)];
    mixed = Buffer.concat([piece(0, first), piece(1, last).subarray(0, 12)]);
  }
  assert.deepEqual(mergeKey(Buffer.alloc(32 * 4000), 32, 'sha1'), mixed);
});
