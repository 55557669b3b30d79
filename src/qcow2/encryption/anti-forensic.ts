import { hash as digest, randomFillSync } from 'node:crypto';
import { digestBytes, type HashName } from './hash-name.ts';
import { STRIPES } from './luks-fields.ts';

/**
 * The anti-forensic splitter (LUKS specification, section 2.4): a key is blown up to 4000 stripes, all of which must
 * be there to get it back, so that wiping any small part of them on a disk that remaps sectors destroys it.
 *
 * All but the last stripe are random, and the last one is what the key takes.
 */
export function splitKey(key: Uint8Array, hash: HashName): Buffer {
  const material = Buffer.alloc(key.length * STRIPES);
  const last = material.subarray(key.length * (STRIPES - 1));
  randomFillSync(material, 0, material.length - key.length);
  const mixed = mixStripes(material, key.length, hash);
  for (let at = 0; at < key.length; at += 1) last[at] = (mixed[at] ?? 0) ^ (key[at] ?? 0);
  mixed.fill(0);
  return material;
}

/** The key that was split. Nothing here tells whether it is the right one. */
export function mergeKey(material: Uint8Array, keyBytes: number, hash: HashName): Buffer {
  const key = mixStripes(material, keyBytes, hash);
  xor(key, material.subarray(keyBytes * (STRIPES - 1), keyBytes * STRIPES));
  return key;
}

/** All stripes but the last, taken in one after the other. */
function mixStripes(material: Uint8Array, keyBytes: number, hash: HashName): Buffer {
  const mixed = Buffer.alloc(keyBytes);
  const input = Buffer.alloc(4 + digestBytes(hash));
  for (let stripe = 0; stripe < STRIPES - 1; stripe += 1) {
    xor(mixed, material.subarray(stripe * keyBytes, (stripe + 1) * keyBytes));
    diffuse(mixed, input, hash);
  }
  input.fill(0);
  return mixed;
}

/** Replaces each piece as long as a digest by the digest of its number and itself; a shorter last piece is cut. */
function diffuse(bytes: Buffer, input: Buffer, hash: HashName): void {
  const length = input.length - 4;
  for (let piece = 0; piece * length < bytes.length; piece += 1) {
    const at = piece * length;
    const end = Math.min(at + length, bytes.length);
    input.writeUInt32BE(piece);
    bytes.copy(input, 4, at, end);
    bytes.set(digest(hash, input.subarray(0, 4 + end - at), 'buffer').subarray(0, end - at), at);
  }
}

function xor(into: Uint8Array, from: Uint8Array): void {
  for (let at = 0; at < into.length; at += 1) into[at] = (into[at] ?? 0) ^ (from[at] ?? 0);
}
