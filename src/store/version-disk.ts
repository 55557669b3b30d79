import type { Disk } from '../disk/index.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { findVersion } from './get-version.ts';
import { completeChain, readyChain } from './ready-chain.ts';
import type { WorkOptions } from './types.ts';

/** The version's disk, verified, for reading. */
export async function openVersionDisk(
  context: StoreContext,
  expression: string,
  options: WorkOptions = {},
): Promise<Disk> {
  const { layers } = await findVersion(context, expression);
  return openChain(context, layers, options);
}

/** The file of the version's last layer, the whole chain being there. */
export async function versionPath(context: StoreContext, expression: string): Promise<string> {
  const { layers, tip } = await findVersion(context, expression);
  await completeChain(context, layers);
  return context.layout.blob(tip);
}

/** Checks every layer of the version's chain. */
export async function verifyVersion(
  context: StoreContext,
  expression: string,
  options: WorkOptions,
): Promise<void> {
  await readyChain(context, (await findVersion(context, expression)).layers, options);
}
