import { CalveError } from '../errors/index.ts';
import type { StoreContext } from './context.ts';
import { settled } from './locking.ts';
import { readIndex, refsOf, versionOfRef } from './ref-index.ts';
import { refMoves } from './ref-log.ts';
import { parseRefName } from './ref-name.ts';
import type { RefInfo, RefMove } from './types.ts';

/** Every ref, by name. */
export async function listRefs(context: StoreContext): Promise<RefInfo[]> {
  await settled(context);
  return refsOf(await readIndex(context));
}

/** @throws CalveError `usage`, `not-found` */
export async function getRef(context: StoreContext, text: string): Promise<RefInfo> {
  const name = parseRefName(text);
  await settled(context);
  const version = versionOfRef(await readIndex(context), name);
  if (version === undefined) throw noSuchRef(name);
  return { name, version };
}

/** The ref's moves, newest first. */
export async function refHistory(context: StoreContext, text: string): Promise<RefMove[]> {
  const name = parseRefName(text);
  await settled(context);
  return [...refMoves(context)].filter((move) => move.ref === name);
}

export function noSuchRef(name: string): CalveError {
  return new CalveError('not-found', `no ref is called ${name}`, { hint: 'calve images' });
}
