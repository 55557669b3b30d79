import type { StoreContext } from './context.ts';
import { openOverlay } from './env-disk.ts';
import { envInfo, findEnv } from './list-envs.ts';
import { mappedExtents } from './mapped-extents.ts';
import { readVersion } from './read-version.ts';
import { readIndex, versionOfRef } from './ref-index.ts';
import type { EnvStatus } from './types.ts';

/**
 * What an env has not committed. Of an overlay in use only the size is looked at: its tables change under the reader.
 * An idle one is read without a lock, which would keep a starting virtual machine from its own, and looked at again
 * afterwards: what was read while somebody came counts for nothing.
 */
export async function envStatus(context: StoreContext, name: string): Promise<EnvStatus> {
  const env = await findEnv(context, name);
  const before = await envInfo(context, name, env);
  const current = env.ref === null ? undefined : versionOfRef(await readIndex(context), env.ref);
  const refMoved = env.ref !== null && current !== env.version;
  const unknown = { refMoved, changedClusters: null, clusterSize: null };
  if (before.state !== 'idle') return { ...before, ...unknown };

  const { layers } = await readVersion(context, env.version);
  try {
    await using overlay = await openOverlay(context, name, layers, { follow: false });
    let mapped = 0;
    for await (const extent of mappedExtents(overlay)) mapped += extent.length;
    const { clusterSize } = overlay.header;
    const after = await envInfo(context, name, env);
    if (after.state !== 'idle') return { ...after, ...unknown };
    return { ...after, refMoved, changedClusters: Math.ceil(mapped / clusterSize), clusterSize };
  } catch (error) {
    const after = await envInfo(context, name, env);
    if (after.state === 'idle') throw error;
    return { ...after, ...unknown };
  }
}
