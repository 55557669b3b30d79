import { hash } from 'node:crypto';
import * as v from 'valibot';
import { CalveError } from '../errors/index.ts';

/** The name of bytes: `sha256:` and 64 lower-case hex digits (image-spec 1.1, descriptor, Digests). */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HEX = /^[0-9a-f]{64}$/;

/** Whether `text` is a whole digest. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** Whether `text` is the hex part of a digest: the name of a file in `blobs/sha256`. */
export function isHex(text: string): boolean {
  return HEX.test(text);
}

/** A digest in a JSON document. */
export const digestSchema: v.GenericSchema<unknown, Digest> = v.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'expected sha256: and 64 hex digits',
);

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes)}`;
}

/** The hex part of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/**
 * The digest that a blob's file name stands for.
 * @throws CalveError `invalid` when it is not 64 lower-case hex digits
 */
export function digestOfHex(hex: string): Digest {
  if (!isHex(hex)) throw new CalveError('invalid', `expected 64 lower-case hex digits, got '${hex}'`);
  return `sha256:${hex}`;
}

/** A digest as people read it: its first 12 hex digits. */
export function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}
