import { CalveError } from '../errors/index.ts';

/**
 * The one spelling of a value: keys sorted by UTF-16 code unit, no white space (the subset of RFC 8785 whose numbers
 * are integers). So equal documents have equal digests. Members that are undefined are left out.
 *
 * @throws CalveError `invalid` for a number that is no safe integer, and for what JSON cannot hold
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  throw new CalveError(
    'invalid',
    `expected a value for a canonical JSON document, got ${typeof value} ${String(value)}`,
  );
}
