import type { WritableDisk } from '../disk/index.ts';
import { type HostFile, openFile, renameDurably } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { emptyIfReplaced } from './empty-if-replaced.ts';
import { openOverlayAt } from './env-disk.ts';
import { lockEnv } from './env-lock.ts';
import { OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { verifyChain } from './protection.ts';
import { readVersion } from './read-version.ts';
import { readyChain } from './ready-chain.ts';
import { makeStagedFolder, openStaging, sealStaged } from './staging.ts';
import type { WorkOptions } from './types.ts';

/**
 * Changes an env's disk as a whole or not at all: a guest's file system that was written in part would be torn. The
 * action works on a copy of the overlay in staging (a reflink where the file system has them); when that is durable,
 * one rename puts it in the overlay's place. The overlay stays locked from the first look at it to the end.
 *
 * @param action may use the disk, and an empty folder that is removed afterwards, until it returns; when it throws, nothing has happened
 */
export async function changeEnv<Result>(
  context: StoreContext,
  name: string,
  action: (disk: WritableDisk, folder: string) => Promise<Result>,
  options: WorkOptions,
): Promise<Result> {
  await using held = await lockEnv(context, name, 'write');
  const { layers } = await readVersion(context, held.env.version);
  await readyChain(context, layers, options);
  await using staging = await openStaging(context);
  const staged = staging.path(OVERLAY);
  const work = staging.path('work');
  await makeStagedFolder(work);
  await copyOverlay(held.file, staged, options);
  let result: Result;
  {
    await using disk = await openOverlayAt(context, staged, layers, { writable: true });
    result = await action(disk, work);
    await disk.flush();
  }
  {
    await using file = await openFile(staged, { writable: true });
    await sealStaged(file, held.file.stat().mode);
  }
  const overlay = context.layout.overlay(name);
  try {
    await locked(
      context,
      async () => {
        // What was read of the layers counts only if they are still what they were.
        await verifyChain(context, layers);
        context.step(`rename to envs/${name}/${OVERLAY}`);
        await renameDurably(staged, overlay);
      },
      options.signal,
    );
  } finally {
    await emptyIfReplaced(context, name, held.file);
  }
  return result;
}

/** What is a hole in the overlay stays one. */
async function copyOverlay(from: HostFile, path: string, { signal }: WorkOptions): Promise<void> {
  await using to = await openFile(path, { create: true });
  if (from.cloneTo(to)) return;
  const { size } = from.stat();
  await to.truncate(size);
  for (const { offset, length, kind } of from.extents(0, size)) {
    if (kind === 'data')
      await from.copyTo(to, offset, offset, length, signal === undefined ? {} : { signal });
  }
}
