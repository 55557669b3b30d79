import type { CalveError } from '../errors/index.ts';
import type { StoreContext } from './context.ts';
import { type BlobFacts, examineBlobs } from './fsck-blobs.ts';
import { examineOverlays, type OverlayFacts } from './fsck-overlays.ts';
import { brokenMoves } from './journal.ts';
import { locked, lockedAsFound } from './locking.ts';
import type { WorkOptions } from './types.ts';

/** What takes long to find out, of no one moment. What is wrong is told from it and from the documents. */
export interface Survey {
  readonly blobs: BlobFacts;
  readonly overlays: OverlayFacts;
  /** Recorded moves that cannot be finished, by id: until they are gone no command can work. */
  readonly brokenMoves: ReadonlyMap<string, CalveError>;
}

/** Looks at every byte that can be checked by itself. What a crash left is put right first, if it can be. */
export async function surveyStore(context: StoreContext, options: WorkOptions): Promise<Survey> {
  const broken = await lockedAsFound(context, () => brokenMoves(context), options.signal);
  if (broken.size === 0) await locked(context, async () => {}, options.signal);
  const blobs = await examineBlobs(context, options);
  return { blobs, overlays: await examineOverlays(context, options), brokenMoves: broken };
}
