import { statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { verifyChain } from './protection.ts';
import type { LayerInfo, WorkOptions } from './types.ts';

/**
 * As `verifyChain`, and fetches first what of the chain a pull left where it was: the layers of a version that is used for
 * the first time. Not to be called with the store lock held.
 */
export async function readyChain(
  context: StoreContext,
  layers: readonly LayerInfo[],
  options: WorkOptions = {},
): Promise<void> {
  await completeChain(context, layers, options);
  await verifyChain(context, layers, options);
}

/** Fetches what a pull left where it was; verifies nothing else. */
export async function completeChain(
  context: StoreContext,
  layers: readonly LayerInfo[],
  options: WorkOptions = {},
): Promise<void> {
  if (layers.every(({ digest }) => statFile(context.layout.blob(digest)) !== undefined)) return;
  const { bringChain } = await import('./remotes/bring-layers.ts');
  await bringChain(context, layers, options);
}
