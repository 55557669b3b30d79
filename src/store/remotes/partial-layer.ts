import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from '../../errors/index.ts';
import { type FileStat, type HostFile, makeFolder, openFile, statFile } from '../../host/index.ts';
import { hexOf } from '../../oci/index.ts';
import type { StoreContext } from '../context.ts';
import { DAY_MS } from '../days.ts';
import { takeLock } from '../locking.ts';
import { BLOB_MODE } from '../publish.ts';
import { listFolder, sealStaged } from '../staging.ts';
import type { LayerInfo } from '../types.ts';

/** A layer in `partial/`, whole and durable, as it was when it was found to be one. */
export interface PartialLayer {
  readonly layer: LayerInfo;
  readonly path: string;
  readonly stat: FileStat;
}

const PARTIAL_MODE = 0o600;

/** Of a file in `partial/`, the one that says that somebody works on it: as `tmp/<id>.lock`. */
const PARTIAL_LOCK = '.lock';

/**
 * Fills the file `partial/<hex>` of a layer while nobody else does: two who want one layer share what comes. What is there
 * already, of a transfer that was cut off, `fill` finds in the file; whatever happens, what came stays there for the next.
 *
 * @param fill returns when the file is the layer, durable or not
 * @returns undefined when the layer is in the store by now
 * @throws CalveError `aborted`; what `fill` throws
 */
export async function fillPartial(
  context: StoreContext,
  layer: LayerInfo,
  fill: (file: HostFile) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<PartialLayer | undefined> {
  const { partial } = context.layout;
  await makeFolder(partial);
  const path = join(partial, hexOf(layer.digest));
  await using turn = await takeLock(`${path}${PARTIAL_LOCK}`, signal);
  try {
    if (statFile(context.layout.blob(layer.digest)) !== undefined) return undefined;
    await using file = await openPartial(path);
    await fill(file);
    await sealStaged(file, BLOB_MODE);
    return { layer, path, stat: file.stat() };
  } finally {
    await rm(turn.path, { force: true });
  }
}

/** Who is about to put the file in place sees by its times that another has it. */
async function openPartial(path: string): Promise<HostFile> {
  if (statFile(path) === undefined) return openFile(path, { create: true, mode: PARTIAL_MODE });
  try {
    await chmod(path, PARTIAL_MODE);
  } catch (error) {
    throw systemError(`cannot change the mode of ${path}`, error);
  }
  return openFile(path, { writable: true });
}

/** Whether a layer's file is still what it was. */
export function isAsItWas({ path, stat }: PartialLayer): boolean {
  const now = statFile(path);
  return (
    now !== undefined && now.inode === stat.inode && now.ctimeNs === stat.ctimeNs && now.size === stat.size
  );
}

/**
 * What nobody has gone on with for so many days, by its path below the store. The store lock is held, and what somebody
 * works on is written.
 */
export async function abandonedPartials(context: StoreContext, days: number): Promise<string[]> {
  const since = BigInt(Math.round(Date.now() - days * DAY_MS)) * 1_000_000n;
  const names = await listFolder(context.layout.partial);
  return names
    .map((name) => `partial/${name}`)
    .filter((path) => {
      const stat = statFile(join(context.layout.folder, path));
      return stat !== undefined && stat.mtimeNs < since;
    });
}
