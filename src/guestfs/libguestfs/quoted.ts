import { CalveError } from '../../errors/index.ts';

/** guestfish reads its commands with fgets(3) into 8192 bytes: of a longer line the rest would be another command. */
const LONGEST_LINE = 8000;

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/**
 * A word of a command, whatever bytes it has but zero: in double quotes, what means something there or ends a line as `\xHH`
 * (guestfish(1), "Escape sequences in double quoted arguments").
 */
export function quoted(word: Buffer): string {
  let shown = '"';
  for (const byte of word) {
    const isPlain = byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH && byte !== DELETE;
    shown += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `${shown}"`;
}

/**
 * Whether a name can stand in a list. There it would be in single quotes, in which a backslash means itself but ahead of an
 * apostrophe: no way is left for a name that ends with one, or has both side by side.
 */
export function canBeListed(name: Buffer): boolean {
  return !name.includes(APOSTROPHE) && !name.includes(BACKSLASH);
}

/** Names as one word of a command. */
export function quotedList(names: readonly Buffer[]): string {
  return quoted(Buffer.from(names.map((name) => `'${name.toString('latin1')}'`).join(' '), 'latin1'));
}

/**
 * Names in lists that each leave room in a line for a command and its other words.
 * @param room bytes that the rest of the line takes
 */
export function* inLines(names: readonly Buffer[], room: number): Generator<readonly Buffer[]> {
  let line: Buffer[] = [];
  let length = room;
  for (const name of names) {
    const more = quoted(name).length + 1;
    if (line.length > 0 && length + more > LONGEST_LINE) {
      yield line;
      [line, length] = [[], room];
    }
    line.push(name);
    length += more;
  }
  if (line.length > 0) yield line;
}

/** A command as the bytes of a line. @throws CalveError `unsupported` when guestfish takes none so long */
export function commandLine(words: readonly string[]): Buffer {
  const line = Buffer.from(words.join(' '), 'latin1');
  if (line.length <= LONGEST_LINE) return line;
  throw new CalveError(
    'unsupported',
    `a path that takes ${line.length} bytes in a command of guestfish, which takes ${LONGEST_LINE}`,
  );
}
