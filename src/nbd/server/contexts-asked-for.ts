import { baseAllocation, type MetaContext } from './meta-context.ts';
import type { NbdExport } from './nbd-export.ts';

/**
 * The contexts of an export that a client's queries mean: each by its name; in a list also all of a namespace (`qemu:`) and
 * all bitmaps (`qemu:dirty-bitmap:`), and everything where nothing is asked for.
 */
export function contextsAskedFor(
  { contexts = [] }: NbdExport,
  queries: readonly string[],
  purpose: 'list' | 'set',
): MetaContext[] {
  const offered = [baseAllocation, ...contexts];
  const names = new Set(queries.filter((query) => query !== ''));
  if (purpose === 'set') return offered.filter(({ name }) => names.has(name));
  if (queries.length === 0) return offered;
  return offered.filter(({ name }) => names.has(name) || WILDCARDS.some((match) => names.has(match(name))));
}

/** Of a context's name, the queries without a leaf that mean it. */
const WILDCARDS: readonly ((name: string) => string)[] = [
  (name) => name.slice(0, name.indexOf(':') + 1),
  (name) => name.slice(0, name.indexOf(':', name.indexOf(':') + 1) + 1),
];
