import { byKeyOrder } from './key-order.ts';

/** What is printed as JSON. Members that are undefined are left out. */
export type Json =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** JSON as qemu-img prints it: a line a member, four spaces a level, members in QEMU's order. */
export function jsonText(value: Json): string {
  return write(value, '\n');
}

/** JSON in one line, as in names that begin with `json:`. */
export function jsonLine(value: Json): string {
  return write(value, undefined);
}

function write(value: Json, lineBreak: string | undefined): string {
  if (typeof value === 'string') return quoted(value);
  if (value === null || typeof value !== 'object') return String(value);
  const inner = lineBreak === undefined ? undefined : `${lineBreak}    `;
  if (isList(value))
    return enclosed(
      value.map((each) => write(each, inner)),
      '[]',
      lineBreak,
    );
  return enclosed(
    membersOf(value).map(([key, each]) => `${quoted(key)}: ${write(each, inner)}`),
    '{}',
    lineBreak,
  );
}

/** The members of an object in the order in which they are printed. */
export function membersOf(value: { readonly [key: string]: Json | undefined }): [string, Json][] {
  return Object.entries(value)
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .sort(([a], [b]) => byKeyOrder(a, b));
}

/** Whether a value is a list, which `Array.isArray` does not tell of a list that is read alone. */
export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function enclosed(items: readonly string[], [open = '', close = '']: string, lineBreak?: string): string {
  if (lineBreak === undefined) return open + items.join(', ') + close;
  return `${open}${items.map((item) => `${lineBreak}    ${item}`).join(',')}${lineBreak}${close}`;
}

/** A string, in ASCII. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`,
  );
}
