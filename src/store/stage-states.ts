import type { Disk } from '../disk/index.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { extentsFrom } from './extents-from.ts';
import type { ImportState } from './import-state.ts';
import { type StandsOn, type StatedVersion, type StateOptions, stageState } from './stage-state.ts';
import type { Staging } from './staging.ts';
import type { WorkOptions } from './types.ts';
import type { VersionDocument } from './version-document.ts';
import { VersionsByTip } from './versions-by-tip.ts';

/** How states become versions. `message` is the last one's. */
export interface StatesOptions extends Pick<StateOptions, 'compression' | 'maxLayerSize'>, WorkOptions {
  readonly message?: string | undefined;
}

/**
 * Stages a version for each state of a disk image, each the parent of the next and each with only its difference. A
 * backing file of which the store has a version already is that version.
 * @param onto what the first state goes on top of
 */
export async function stageStates(
  context: StoreContext,
  staging: Staging,
  states: readonly ImportState[],
  onto: VersionDocument | null,
  options: StatesOptions,
): Promise<StatedVersion[]> {
  const known = states.length > 1 ? await VersionsByTip.read(context) : undefined;
  const made: StatedVersion[] = [];
  let done = 0;
  // A layer is the difference between two states whose disks are open: what is staged need not be read again.
  let below: StandsOn | null =
    onto === null
      ? null
      : { version: onto, disk: await openChain(context, onto.layers, { once: true, ...options }) };
  try {
    for (const [at, state] of states.entries()) {
      const isLast = at === states.length - 1;
      const disk: Disk = await state.open();
      try {
        const { created, from } = state;
        const stated = await stageState(
          staging,
          {
            ...{ disk, below, created },
            rangesFrom: (offset) => extentsFrom(state.ranges(disk), offset),
            made: { command: 'import', from },
            message: isLast ? options.message : state.message,
          },
          {
            ...{ name: String(at), signal: options.signal },
            ...{ compression: options.compression, maxLayerSize: options.maxLayerSize },
            // A snapshot tells when it was made; its version is the same one each time.
            known: isLast || created !== undefined ? undefined : known,
            onProgress: progressFrom(done, states, options),
          },
        );
        made.push(stated);
        await below?.disk.close();
        below = { version: stated.version, disk };
      } catch (error) {
        await disk.close();
        throw error;
      }
      done += state.size;
    }
  } finally {
    await below?.disk.close();
  }
  return made;
}

/** Progress of one state as that of all. */
function progressFrom(
  before: number,
  states: readonly ImportState[],
  { onProgress }: WorkOptions,
): WorkOptions['onProgress'] {
  const total = states.reduce((sum, { size }) => sum + size, 0);
  return ({ phase, done }) => onProgress?.({ phase, done: Math.min(before + done, total), total });
}
