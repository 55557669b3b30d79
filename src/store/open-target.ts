import type { Disk } from '../disk/index.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { openEnvDisk } from './env-disk.ts';
import { resolveTarget } from './expressions.ts';
import { readVersion } from './read-version.ts';
import type { WorkOptions } from './types.ts';

/** The disk of the env of this name, else of the version, verified, for reading. */
export async function openTarget(context: StoreContext, name: string, options: WorkOptions): Promise<Disk> {
  const target = await resolveTarget(context, name);
  if (target.kind === 'env') return openEnvDisk(context, target.name, false, options);
  return openChain(context, (await readVersion(context, target.version)).layers, options);
}
