import type { Disk } from '../disk/index.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { findVersion } from './get-version.ts';
import { verifyChain } from './protection.ts';
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

/** The file of the version's last layer. */
export async function versionPath(context: StoreContext, expression: string): Promise<string> {
  return context.layout.blob((await findVersion(context, expression)).tip);
}

/** Checks every layer of the version's chain. */
export async function verifyVersion(
  context: StoreContext,
  expression: string,
  options: WorkOptions,
): Promise<void> {
  await verifyChain(context, (await findVersion(context, expression)).layers, options);
}
