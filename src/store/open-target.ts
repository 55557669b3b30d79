import type { Disk } from '../disk/index.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { openEnvDisk } from './env-disk.ts';
import { resolveTarget } from './expressions.ts';
import { readVersion } from './read-version.ts';
import type { LayerInfo, WorkOptions } from './types.ts';

/** A disk and the layers that it stands on, for whoever wants to be sure of them in the end too. */
export interface OpenedTarget {
  readonly disk: Disk;
  readonly layers: readonly LayerInfo[];
}

/** The disk of the env of this name, else of the version, verified, for reading. */
export async function openTarget(
  context: StoreContext,
  name: string,
  options: WorkOptions,
): Promise<OpenedTarget> {
  const target = await resolveTarget(context, name);
  if (target.kind === 'env') {
    const disk = await openEnvDisk(context, target.name, false, options);
    return { disk, layers: disk.layers };
  }
  const { layers } = await readVersion(context, target.version);
  return { disk: await openChain(context, layers, options), layers };
}
