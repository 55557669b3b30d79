/** One way to authenticate that a server offers (RFC 9110, 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t]*/y;
const COMMAS = /[ \t,]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
/** What stands for parameters in some schemes (Negotiate): a single word. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/**
 * The challenges of WWW-Authenticate headers. One header may hold several, parted by commas like their parameters.
 * What cannot be understood ends its header: the challenges before it count.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap((header) => [...challengesOf(header)]);
}

function* challengesOf(header: string): Generator<Challenge> {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(header) ?? undefined;
    if (found) at = pattern.lastIndex;
    return found;
  };
  /** `name = value`, or nothing, and nothing taken: then the word is the next scheme. */
  const takeParameter = (): [string, string] | undefined => {
    const start = at;
    const name = take(TOKEN)?.[0];
    take(SPACE);
    if (name !== undefined && header[at] === '=') {
      at += 1;
      take(SPACE);
      const quoted = take(QUOTED);
      const value = quoted ? quoted[1]?.replace(/\\(.)/g, '$1') : take(TOKEN)?.[0];
      if (value !== undefined) return [name.toLowerCase(), value];
    }
    at = start;
    return undefined;
  };
  for (take(COMMAS); at < header.length; take(COMMAS)) {
    const scheme = take(TOKEN)?.[0];
    if (scheme === undefined) return;
    take(SPACE);
    const parameters = new Map<string, string>();
    let parameter = takeParameter();
    if (!parameter) take(TOKEN68);
    for (; parameter; parameter = takeParameter()) {
      // The first of a name counts; RFC 9110 forbids a second.
      if (!parameters.has(parameter[0])) parameters.set(...parameter);
      take(COMMAS);
    }
    yield { scheme: scheme.toLowerCase(), parameters };
  }
}
