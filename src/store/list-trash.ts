import type { StoreContext } from './context.ts';
import { settled } from './locking.ts';
import { trashEntries } from './trash-entries.ts';
import type { TrashInfo } from './types.ts';

/** Everything in the trash, the newest first. */
export async function listTrash(context: StoreContext): Promise<TrashInfo[]> {
  await settled(context);
  return trashEntries(context);
}
