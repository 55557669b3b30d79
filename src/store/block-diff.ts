import { type BlockDifference, differences } from '../img/index.ts';
import { openCompared } from './compared-disks.ts';
import type { StoreContext } from './context.ts';
import type { WorkOptions } from './types.ts';

/** The blocks in which two disks differ. Only what their chains do not share is read. */
export async function* diffBlocks(
  context: StoreContext,
  a: string,
  b: string | undefined,
  { signal, onProgress }: WorkOptions,
): AsyncGenerator<BlockDifference> {
  await using stack = new AsyncDisposableStack();
  const { before, after, within, verify } = await openCompared(context, stack, a, b, { signal, onProgress });
  const size = Math.max(before.size, after.size);
  yield* differences(before, after, {
    within,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done) => onProgress?.({ phase: 'reading', done: Math.min(done, size), total: size }),
  });
  await verify();
}
