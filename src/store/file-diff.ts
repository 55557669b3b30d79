import { compareDisks, type DiskDifference } from '../guestfs/index.ts';
import { openCompared } from './compared-disks.ts';
import type { StoreContext } from './context.ts';
import type { FileDiffOptions } from './options.ts';

/**
 * The files in which two disks differ. Only what their chains do not share is compared; what leads to the files of
 * directories that are unchanged is read on one side alone.
 */
export async function* diffFiles(
  context: StoreContext,
  a: string,
  b: string | undefined,
  options: FileDiffOptions,
): AsyncGenerator<DiskDifference> {
  await using stack = new AsyncDisposableStack();
  const { before, after, within, verify } = await openCompared(context, stack, a, b, options);
  const { partition, renames, signal } = options;
  yield* compareDisks(before, after, { within, partition, renames, signal });
  await verify();
}
