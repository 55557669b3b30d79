import type { InodeType } from '../inode.ts';
import { corrupt } from './corrupt.ts';
import { decodeLongTime, decodeShortTime } from './directory-record.ts';
import type { SystemUseField } from './system-use.ts';

// Fields (Rock Ridge Interchange Protocol, 4.1), numbers of 8 bytes in both byte orders:
//   PX: 4 mode · 12 links · 20 owner · 28 group. PN: 4 device, high · 12 device, low
//   NM: 4 flags: 1 goes on, 2 `.`, 4 `..` · 5 name. SL: 4 flags: 1 goes on · 5 components: flags u8: 1 goes on, 2 `.`,
//   4 `..`, 8 `/` · length u8 · text
//   TF: 4 flags: which of made, changed, read, its attributes changed, ... · 5 the times of these; 0x80: 17 bytes each
//   CL: 4 block of the directory that this name leads to. RE: a directory that lies here for a CL elsewhere.
//   ZF: 4 algorithm · 8 size before it was compressed
const LONGEST_NAME = 1024;
const LONGEST_TARGET = 4096;

const TYPES: Readonly<Record<number, InodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** What Rock Ridge says of a file; undefined where it says nothing. */
export interface RockRidge {
  name?: Buffer;
  /** With the type in its upper bits. */
  mode?: number;
  links?: number;
  uid?: number;
  gid?: number;
  device?: { readonly major: number; readonly minor: number };
  made?: bigint;
  changed?: bigint;
  read?: bigint;
  attributesChanged?: bigint;
  /** Null: it is broken, as genisoimage breaks that of a symlink with long names in it. */
  target?: Buffer | null;
  /** The block of the directory that this one stands for. */
  child?: number;
  /** Whether it stands for another record, and is not shown here. */
  isRelocated?: boolean;
  /** The algorithm and the size of what was compressed. */
  compressed?: { readonly algorithm: string; readonly size: number };
}

/** Reads the fields of a record. @throws CalveError `corrupt` */
export async function readRockRidge(
  fields: AsyncIterable<SystemUseField>,
  where: string,
): Promise<RockRidge> {
  const found: RockRidge = {};
  const target = new Target();
  for await (const { signature, bytes } of fields) {
    const number = (at: number): number => {
      if (at + 4 > bytes.length) throw corrupt(where, `the field ${signature} has ${bytes.length} bytes`);
      return bytes.readUInt32LE(at);
    };
    if (signature === 'PX') {
      found.mode = number(4);
      found.links = number(12);
      found.uid = number(20);
      found.gid = number(28);
    } else if (signature === 'PN') found.device = deviceOf(number(4), number(12));
    else if (signature === 'NM') addName(found, bytes, where);
    else if (signature === 'SL') target.add(bytes);
    else if (signature === 'TF') addTimes(found, bytes, where);
    else if (signature === 'CL') found.child = number(4);
    else if (signature === 'RE') found.isRelocated = true;
    else if (signature === 'ZF')
      found.compressed = { algorithm: bytes.toString('latin1', 4, 6), size: number(8) };
  }
  if (target.text !== undefined) found.target = target.isBroken ? null : target.text;
  return found;
}

/** The type in a mode. */
export function typeOf(mode: number): InodeType {
  return TYPES[(mode >>> 12) & 0xf] ?? 'unknown';
}

function addName(found: RockRidge, field: Buffer, where: string): void {
  if (field.length < 5) throw corrupt(where, `a name in ${field.length} bytes`);
  const flags = field.readUInt8(4);
  // These are of records that have a name of their own for that.
  if (flags & 6) return;
  found.name = Buffer.concat([found.name ?? Buffer.alloc(0), field.subarray(5)]);
  if (found.name.length > LONGEST_NAME) throw corrupt(where, `a name of more than ${LONGEST_NAME} bytes`);
}

/** Of a device as Linux keeps it in 64 bits, or, where the upper half is 0, in the lower one. */
function deviceOf(high: number, low: number): { major: number; minor: number } {
  if (high !== 0) return { major: high, minor: low };
  return { major: (low >>> 8) & 0xfff, minor: (low & 0xff) | ((low >>> 12) & 0xfff00) };
}

function addTimes(found: RockRidge, field: Buffer, where: string): void {
  if (field.length < 5) throw corrupt(where, `times in ${field.length} bytes`);
  const flags = field.readUInt8(4);
  const isLong = (flags & 0x80) !== 0;
  const length = isLong ? 17 : 7;
  let at = 5;
  for (const [bit, name] of ['made', 'changed', 'read', 'attributesChanged'].entries()) {
    if (!(flags & (1 << bit))) continue;
    if (at + length > field.length) throw corrupt(where, 'a time behind the end of its field');
    const time = isLong ? decodeLongTime(field, at) : decodeShortTime(field, at);
    found[name as 'made' | 'changed' | 'read' | 'attributesChanged'] = time;
    at += length;
  }
}

/** What a symlink points at, from its components. */
class Target {
  text: Buffer | undefined;
  isBroken = false;
  /** Whether the component before goes on. */
  #open = false;

  add(field: Buffer): void {
    const pieces = [this.text ?? Buffer.alloc(0)];
    let total = pieces[0]?.length ?? 0;
    const put = (piece: Uint8Array): void => {
      pieces.push(Buffer.from(piece));
      total += piece.length;
    };
    for (let at = 5; at + 2 <= field.length; ) {
      const flags = field.readUInt8(at);
      const length = field.readUInt8(at + 1);
      const end = at + 2 + length;
      if (end > field.length) {
        this.isBroken = true;
        break;
      }
      if (flags & 8) put(Buffer.from('/'));
      else {
        const last = pieces.findLast((piece) => piece.length > 0)?.at(-1);
        if (!this.#open && last !== undefined && last !== 0x2f) put(Buffer.from('/'));
        put(flags & 2 ? Buffer.from('.') : flags & 4 ? Buffer.from('..') : field.subarray(at + 2, end));
      }
      this.#open = (flags & 1) !== 0;
      at = end;
    }
    if (total > LONGEST_TARGET) this.isBroken = true;
    if (this.isBroken) pieces.length = 0;
    this.text = Buffer.concat(pieces);
  }
}
