import { CalveError } from '../errors/index.ts';
import type { StoreContext } from './context.ts';
import { settled } from './locking.ts';
import { findRef, readIndex, refsOf } from './ref-index.ts';
import { refMoves } from './ref-log.ts';
import { parseRefName } from './ref-name.ts';
import type { LoggedRefMove, RefInfo } from './types.ts';

/** Every ref, by name. */
export async function listRefs(context: StoreContext): Promise<RefInfo[]> {
  await settled(context);
  return refsOf(await readIndex(context));
}

/** @throws CalveError `usage`, `not-found` */
export async function getRef(context: StoreContext, text: string): Promise<RefInfo> {
  const name = parseRefName(text);
  await settled(context);
  const found = findRef(await readIndex(context), name);
  if (found === undefined) throw noSuchRef(name);
  return found;
}

/** The moves of a ref, or of all, newest first. */
export async function refHistory(
  context: StoreContext,
  text: string | undefined,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<LoggedRefMove[]> {
  const name = text === undefined ? undefined : parseRefName(text);
  await settled(context);
  const found: LoggedRefMove[] = [];
  const counts = new Map<string, number>();
  for (const move of refMoves(context)) {
    if (found.length >= limit) break;
    if (name !== undefined && move.ref !== name) continue;
    const back = counts.get(move.ref) ?? 0;
    counts.set(move.ref, back + 1);
    found.push({ ...move, expression: `${move.ref}@{${back}}` });
  }
  return found;
}

export function noSuchRef(name: string): CalveError {
  return new CalveError('not-found', `no ref is called ${name}`, { hint: 'calve images' });
}
