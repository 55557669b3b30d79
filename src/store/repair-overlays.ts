import { CalveError } from '../errors/index.ts';
import { repairQcow2 } from '../qcow2/index.ts';
import type { StoreContext } from './context.ts';
import { lockEnv } from './env-lock.ts';
import { examineOverlay, type OverlayFacts } from './fsck-overlays.ts';
import type { FsckMended, WorkOptions } from './types.ts';

/** Gives back what is leaked in the overlays of envs, each under QEMU's lock. One that came into use is left alone. */
export async function repairOverlays(
  context: StoreContext,
  facts: OverlayFacts,
  options: WorkOptions,
): Promise<FsckMended[]> {
  const mended: FsckMended[] = [];
  for (const place of [...facts.leaks.keys()]) {
    const name = place.slice('envs/'.length);
    try {
      await using _held = await lockEnv(context, name, 'write');
      const path = context.layout.overlay(name);
      const { leaksFixed } = await repairQcow2(path, {
        repair: 'leaks',
        lock: false,
        signal: options.signal,
      });
      const message = `${place}: ${leaksFixed} leaked clusters were given back`;
      mended.push({ kind: 'env-leaks', where: place, message });
    } catch (error) {
      if (!(error instanceof CalveError) || !['in-use', 'not-found', 'corrupt'].includes(error.code))
        throw error;
    }
    await examineOverlay(context, place, facts, options);
  }
  return mended;
}
