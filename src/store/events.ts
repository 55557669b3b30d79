import { dirname } from 'node:path';
import { CalveError } from '../errors/index.ts';
import type { StoreContext } from './context.ts';
import { FolderWatch } from './folder-watch.ts';
import type { EventOptions } from './options.ts';
import { refMovesBetween } from './ref-log.ts';
import { changesBetween, readState } from './store-state.ts';
import type { RefMove, StoreEvent } from './types.ts';

/**
 * What changes in a store, whoever changes it. The file system tells that something did, which may come late, twice
 * or bundled; what did is read from the store itself. So no move of a ref is missed: the log is read on from where it
 * was read to.
 */
export async function* storeEvents(
  context: StoreContext,
  { signal, since }: EventOptions,
): AsyncGenerator<StoreEvent> {
  const isOver = (): boolean => signal?.aborted === true;
  if (isOver()) return;
  const { layout } = context;
  // A journal's record goes when all its steps are done, which is when an env has changed within its folder.
  const folders = [layout.folder, dirname(layout.refLog), layout.envs, layout.trash, layout.journal];
  using watch = new FolderWatch(folders);
  let state = await readState(context);
  const missed = since === undefined ? [] : movesSince(context, since, state.refLogEnd);
  yield { kind: 'ready' };
  for (const move of missed) yield { kind: 'ref', move };
  while (!isOver()) {
    await watch.change(signal);
    if (isOver()) return;
    const next = await readState(context, state);
    const changes = changesBetween(context, state, next);
    state = next;
    yield* changes;
  }
}

/** The moves behind the one of this id. */
function movesSince(context: StoreContext, id: string, end: number): RefMove[] {
  let found = false;
  const missed: RefMove[] = [];
  for (const move of refMovesBetween(context, 0, end)) {
    if (found) missed.push(move);
    found ||= move.id === id;
  }
  if (found) return missed;
  throw new CalveError('not-found', `${context.layout.refLog} has no move ${id}`);
}
