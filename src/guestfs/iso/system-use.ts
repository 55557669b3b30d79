import { corrupt } from './corrupt.ts';

// Field (System Use Sharing Protocol, 4): 0 signature, 2 letters · 2 length u8 · 3 version u8 · 4 data. Numbers of 8
//   bytes are there little-endian, then big-endian.
//   SP: 4 0xbe 0xef · 6 bytes to skip in every other record. CE: 4 block · 12 offset · 20 length of more fields.
//   ST: no more fields.
const HEADER = 4;
/** As many continuations as Linux follows for one record. */
const MOST_CONTINUATIONS = 32;
/** One lies within a block; this is the largest. */
const LARGEST_AREA = 2048;

/** A field of what the system uses. */
export interface SystemUseField {
  readonly signature: string;
  /** All of it, its header included. */
  readonly bytes: Buffer;
}

/** Where more fields of a record lie. */
export interface Continuation {
  readonly block: number;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

/**
 * The bytes to skip ahead of the fields of every record, as the root's own record says; undefined when it does not
 * begin as the protocol wants, and there are no fields anywhere. CD-ROM XA puts 14 bytes of its own before them.
 */
export function skippedBytes(rootSystemUse: Buffer): number | undefined {
  for (const at of [0, 14]) {
    const field = rootSystemUse.subarray(at);
    if (field.length >= 7 && field.toString('latin1', 0, 2) === 'SP' && field.readUInt16BE(4) === 0xbeef) {
      return field.readUInt8(6);
    }
  }
  return undefined;
}

/**
 * The fields of a record, with those in its continuations.
 *
 * @param area the record's own
 * @param read gets a continuation's bytes
 * @param where for errors
 * @throws CalveError `corrupt`
 */
export async function* systemUseFields(
  area: Buffer,
  read: (continuation: Continuation) => Promise<Buffer>,
  where: string,
): AsyncGenerator<SystemUseField> {
  let bytes: Buffer | undefined = area;
  for (let areas = 0; bytes !== undefined; areas += 1) {
    if (areas > MOST_CONTINUATIONS) throw corrupt(where, `more than ${MOST_CONTINUATIONS} continuations`);
    let next: Continuation | undefined;
    for (let at = 0; at + HEADER <= bytes.length; ) {
      const length = bytes.readUInt8(at + 2);
      const signature = bytes.toString('latin1', at, at + 2);
      // What fills up the area, or what is none of these fields.
      if (length < HEADER) break;
      if (at + length > bytes.length)
        throw corrupt(where, `the field ${JSON.stringify(signature)} ends behind its area`);
      const field = bytes.subarray(at, at + length);
      at += length;
      if (signature === 'ST') break;
      if (signature === 'CE') next = continuationOf(field, where);
      else yield { signature, bytes: field };
    }
    bytes = next === undefined ? undefined : await read(next);
  }
}

function continuationOf(field: Buffer, where: string): Continuation {
  if (field.length < 28) throw corrupt(where, `a continuation in ${field.length} bytes`);
  const found = {
    block: field.readUInt32LE(4),
    offset: field.readUInt32LE(12),
    length: field.readUInt32LE(20),
  };
  if (found.offset + found.length > LARGEST_AREA) {
    throw corrupt(
      where,
      `a continuation of ${found.length} bytes at ${found.offset}, expected it within a block`,
    );
  }
  return found;
}
