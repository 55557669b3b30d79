import { type Disk, sliceDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { Qcow2Disk } from '../../qcow2/index.ts';
import { allocationDepth, dirtyBitmap, type MetaContext } from '../server/meta-context.ts';
import type { NbdExport } from '../server/nbd-export.ts';

/** How a disk is exported. */
export interface DiskExportOptions extends Pick<NbdExport, 'readOnly' | 'maxClients' | 'fastZeroes'> {
  /** Default ''. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Clients may ask how deep in the chain a block lies (default false). */
  readonly allocationDepth?: boolean | undefined;
  /** Persistent dirty bitmaps that clients may ask for. */
  readonly bitmaps?: readonly string[] | undefined;
}

/**
 * An export of one disk that is open and stays so, whoever comes and goes: it is flushed when the last client has
 * gone, and closed by its owner.
 * @throws CalveError `not-found`, `corrupt`, `unsupported` for a bitmap that cannot be asked for
 */
export async function diskExport(disk: Disk, options: DiskExportOptions): Promise<NbdExport> {
  const { name = '', description = '', allocationDepth: depth = false, bitmaps = [], ...rest } = options;
  const contexts: MetaContext[] = depth ? [allocationDepth] : [];
  for (const bitmap of bitmaps) contexts.push(await bitmapContext(disk, bitmap));
  const open = async () => sliceDisk<Disk>(disk, 0, disk.size, { leaveOpen: true });
  return { ...rest, name, description, contexts, open };
}

async function bitmapContext(disk: Disk, bitmap: string): Promise<MetaContext> {
  if (!hasBitmaps(disk)) {
    throw new CalveError('not-found', `no bitmap ${JSON.stringify(bitmap)}: only qcow2 images have bitmaps`);
  }
  // One that cannot be read is refused now, not each time that a client asks.
  for await (const _extent of disk.dirtyExtents(bitmap, 0, Math.min(1, disk.size))) break;
  return dirtyBitmap(disk, bitmap);
}

function hasBitmaps(disk: Disk): disk is Disk & Pick<Qcow2Disk, 'dirtyExtents'> {
  return 'dirtyExtents' in disk;
}
