import { corrupt } from './corrupt.ts';

/** A value of LVM's text format. */
export type ConfigValue = string | number | readonly ConfigValue[] | ConfigSection;

/** `name { … }`, by its names. */
export interface ConfigSection {
  readonly [name: string]: ConfigValue;
}

const TOKEN = /\s+|#[^\n]*|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z0-9_.+-]+|[{}[\]=,]/gsy;
const DEEPEST = 16;

/**
 * Reads the text format in which LVM2 keeps its metadata: sections in braces, `name = value`, with strings in quotes, numbers, and lists
 * in brackets. A name twice in a section counts as broken.
 *
 * @throws CalveError `corrupt`
 */
export function parseConfig(text: string): ConfigSection {
  const tokens = tokensOf(text);
  const section = parseSection(tokens, 0);
  if (tokens.length > 0) throw broken(tokens.at(-1));
  return section;
}

/** The last one first. */
function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const [token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw broken(text.slice(at, at + 20));
    if (!/^[\s#]/.test(token)) tokens.push(token);
  }
  return tokens.reverse();
}

/** Up to the brace that ends it, which stays. */
function parseSection(tokens: string[], depth: number): ConfigSection {
  if (depth > DEEPEST) throw broken('{');
  // Names of a guest's: none of them may mean anything else.
  const section: Record<string, ConfigValue> = Object.create(null);
  while (tokens.length > 0 && tokens.at(-1) !== '}') {
    const name = tokens.pop() ?? '';
    if (!/^[A-Za-z0-9_.+-]+$/.test(name) || name in section) throw broken(name);
    const next = tokens.pop();
    if (next === '=') section[name] = parseValue(tokens, depth);
    else if (next === '{') {
      section[name] = parseSection(tokens, depth + 1);
      if (tokens.pop() !== '}') throw broken('the end of the text');
    } else throw broken(next);
  }
  return section;
}

function parseValue(tokens: string[], depth: number): ConfigValue {
  const token = tokens.pop() ?? '';
  if (token.startsWith('"')) return token.slice(1, -1).replace(/\\(.)/gs, '$1');
  if (/^-?\d+(\.\d+)?$/.test(token)) return Number(token);
  if (token !== '[' || depth > DEEPEST) throw broken(token);
  const list: ConfigValue[] = [];
  for (;;) {
    if (tokens.at(-1) === ']') break;
    list.push(parseValue(tokens, depth + 1));
    if (tokens.at(-1) === ',') tokens.pop();
    else if (tokens.at(-1) !== ']') throw broken(tokens.at(-1));
  }
  tokens.pop();
  return list;
}

function broken(at: string | undefined): Error {
  return corrupt('metadata', `unexpected ${JSON.stringify(at ?? 'end')}`);
}
