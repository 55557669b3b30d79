const NAMED: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\\': '\\\\',
};
const WHOLE = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}\\]*$/u;

/**
 * A path, whose bytes may be anything, safe to show and without doubt about what it is: bytes that are no printable
 * UTF-8 become `\n` or `\ooo`, and a backslash two, as `ls -b` has them; spaces stay.
 */
export function printablePath(path: Uint8Array): string {
  const text = decoded(path);
  if (text !== undefined && PRINTABLE.test(text)) return text;
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.length);
  let shown = '';
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    const piece = bytes.subarray(at, at + length);
    const character = decoded(piece);
    shown +=
      character !== undefined && PRINTABLE.test(character)
        ? character
        : (NAMED[character ?? ''] ?? Array.from(piece, octal).join(''));
    at += length;
  }
  return shown;
}

/** Bytes of the UTF-8 character that begins here; 1 where none does. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return decoded(bytes.subarray(at, at + length)) === undefined ? 1 : Math.min(length, bytes.length - at);
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return WHOLE.decode(bytes);
  } catch {
    return undefined;
  }
}

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, '0')}`;
}
