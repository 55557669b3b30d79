import { usageError } from '../img-error.ts';

/** The options that a subcommand takes: names that stand for one option have one value. */
export interface OptionTable<Name extends string> {
  /** Of short options; with `:` where an argument follows. */
  readonly short?: Readonly<Record<string, Name | `${Name}:`>>;
  /** Of long options, likewise. */
  readonly long?: Readonly<Record<string, Name | `${Name}:`>>;
}

/** An option that was typed, with its argument where it takes one. */
export interface TypedOption<Name extends string> {
  readonly name: Name;
  /** '' where the option takes none. */
  readonly value: string;
}

/**
 * Reads options as getopt_long(3) of the C library does, in the order in which they were typed: short ones may be
 * clustered, long ones abbreviated, operands lie anywhere, and `--` ends all options. What is wrong is thrown when it is
 * reached.
 * @param onlyFirst stop at the first operand, and return it and all that follows
 * @returns the operands
 * @throws CalveError `usage`
 *
 * @example
 * for (const { name, value } of typed) …
 */
export function* readOptions<Name extends string>(
  words: readonly string[],
  table: OptionTable<Name>,
  onlyFirst = false,
): Generator<TypedOption<Name>, string[]> {
  const operands: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '--') return [...operands, ...words.slice(at + 1)];
    if (!word.startsWith('-') || word === '-') {
      if (onlyFirst) return words.slice(at);
      operands.push(word);
      continue;
    }
    at += yield* word.startsWith('--')
      ? readLong(word, words[at + 1], table)
      : readCluster(word, words[at + 1], table);
  }
  return operands;
}

/** Returns how many of the words that follow were used up. */
function* readLong<Name extends string>(
  word: string,
  next: string | undefined,
  { long = {} }: OptionTable<Name>,
): Generator<TypedOption<Name>, number> {
  const [, typed = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const found = Object.hasOwn(long, typed) ? long[typed] : theOneThatBegins(typed, long);
  if (found === undefined) throw unrecognized(word);
  if (!takesValue(found)) {
    if (value !== undefined) throw unrecognized(word);
    yield { name: found, value: '' };
    return 0;
  }
  const name = nameOf(found);
  if (value !== undefined) {
    yield { name, value };
    return 0;
  }
  if (next === undefined) throw missing(word);
  yield { name, value: next };
  return 1;
}

function* readCluster<Name extends string>(
  word: string,
  next: string | undefined,
  { short = {} }: OptionTable<Name>,
): Generator<TypedOption<Name>, number> {
  for (let at = 1; at < word.length; at += 1) {
    const letter = word.charAt(at);
    const found = Object.hasOwn(short, letter) ? short[letter] : undefined;
    if (found === undefined) throw unrecognized(word);
    if (!takesValue(found)) {
      yield { name: found, value: '' };
      continue;
    }
    const name = nameOf(found);
    if (at + 1 < word.length) {
      yield { name, value: word.slice(at + 1) };
      return 0;
    }
    if (next === undefined) throw missing(word);
    yield { name, value: next };
    return 1;
  }
  return 0;
}

/** An abbreviation stands for an option when all that begin so are one and the same. */
function theOneThatBegins<Value extends string>(
  typed: string,
  long: Readonly<Record<string, Value>>,
): Value | undefined {
  const candidates = Object.keys(long).filter((name) => name.startsWith(typed));
  const [first, ...others] = new Set(candidates.map((name) => long[name]));
  return others.length === 0 ? first : undefined;
}

function takesValue<Name extends string>(found: Name | `${Name}:`): found is `${Name}:` {
  return found.endsWith(':');
}

function nameOf<Name extends string>(found: `${Name}:`): Name {
  // The type says that only the colon is taken away, which no type of slice() can.
  return found.slice(0, -1) as Name;
}

function unrecognized(word: string): Error {
  return usageError(`unrecognized option '${word}'`);
}

function missing(word: string): Error {
  return usageError(`missing argument for option '${word}'`);
}
