import { CalveError } from '../errors/index.ts';
import { EXTENSION } from './constants.ts';

/** One header extension, its meaning aside. */
export interface HeaderExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Type and length, ahead of each extension's data. */
const PREFIX = 8;

/**
 * Section "Header extensions": those in `area`, in order, up to the end marker or the end of the area.
 * @throws CalveError `invalid` when one is longer than the area
 */
export function decodeExtensions(area: Uint8Array): HeaderExtension[] {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const extensions: HeaderExtension[] = [];
  let at = 0;
  while (at + PREFIX <= area.length) {
    const type = view.getUint32(at);
    if (type === EXTENSION.end) break;
    const length = view.getUint32(at + 4);
    const left = area.length - at - PREFIX;
    if (length > left) {
      throw new CalveError(
        'invalid',
        `header extension 0x${type.toString(16)}: expected a length of at most ${left} bytes, got ${length}`,
        { data: { field: 'header extension', type, length } },
      );
    }
    // A copy: the area is the caller's.
    extensions.push({ type, data: new Uint8Array(area.subarray(at + PREFIX, at + PREFIX + length)) });
    at += PREFIX + padded(length);
  }
  return extensions;
}

/** Section "Header extensions": the extensions and the end marker. */
export function encodeExtensions(extensions: readonly HeaderExtension[]): Uint8Array {
  const lengths = extensions.map(({ data }) => PREFIX + padded(data.length));
  const area = Buffer.alloc(lengths.reduce((sum, length) => sum + length, PREFIX));
  let at = 0;
  extensions.forEach(({ type, data }, index) => {
    area.writeUInt32BE(type, at);
    area.writeUInt32BE(data.length, at + 4);
    area.set(data, at + PREFIX);
    at += lengths[index] ?? 0;
  });
  return area;
}

function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}
