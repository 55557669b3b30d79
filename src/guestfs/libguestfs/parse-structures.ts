import { CalveError } from '../../errors/index.ts';

const ENTRY = /^\[(\d+)\] = \{$/;
const FIELD = /^(?: {2})?([a-z_][a-z0-9_]*): (.*)$/s;

/** The fields of a structure, as guestfish prints it. */
export type Fields = ReadonlyMap<string, string>;

/**
 * A list of structures: `[0] = {`, a line a field, `}`, with their numbers in order. What a guest put into a field may have
 * line ends and look like more of them, but then the numbers of those that follow, or their count, are not right.
 *
 * @throws CalveError `corrupt`
 */
export function parseStructures(answer: Buffer): Fields[] {
  const found: Fields[] = [];
  let fields: Map<string, string> | undefined;
  for (const line of linesOf(answer)) {
    if (fields === undefined) {
      if (ENTRY.exec(line)?.[1] !== String(found.length)) throw unexpected(line);
      fields = new Map();
    } else if (line === '}') {
      found.push(fields);
      fields = undefined;
    } else addField(fields, line);
  }
  if (fields !== undefined) throw unexpected('its end');
  return found;
}

/** One structure, a line a field. @throws CalveError `corrupt` */
export function parseStructure(answer: Buffer): Fields {
  const fields = new Map<string, string>();
  for (const line of linesOf(answer)) addField(fields, line);
  return fields;
}

function linesOf(answer: Buffer): string[] {
  const lines = answer.toString('latin1').split('\n');
  if (lines.pop() !== '') throw unexpected('a line without an end');
  return lines;
}

function addField(fields: Map<string, string>, line: string): void {
  const [, name, value] = FIELD.exec(line) ?? [];
  if (name === undefined || value === undefined || fields.has(name)) throw unexpected(line);
  fields.set(name, value);
}

export function unexpected(got: string): CalveError {
  return new CalveError(
    'corrupt',
    `libguestfs gave an answer that cannot be: ${JSON.stringify(got.slice(0, 80))}`,
  );
}
