import { realpath } from 'node:fs/promises';
import { type Disk, openRawDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { type FileStat, statFile } from '../host/index.ts';
import { followBacking, followDataFile, openQcow2, Qcow2Disk } from '../qcow2/index.ts';
import { type AdoptNode, type AdoptReach, checkReach } from './adopt-forest.ts';

/** An image that is being adopted, it and all below it under QEMU's lock for reading. */
export interface OpenedImage extends AsyncDisposable {
  readonly disk: Disk;
  /** What it stands on; null for none. Ends with the image. */
  readonly base: Disk | null;
  readonly stamp: FileStat;
  readonly warnings: readonly string[];
  /**
   * Whether all that was read is what it was when it was opened: other programs than QEMU need not mind the lock.
   * @throws CalveError `in-use`
   */
  checkUnchanged(): void;
}

/**
 * Opens an image that `growForest` found.
 * @param baseStamp what its base was like when that was adopted
 * @throws CalveError `in-use` also when the image or its base has changed since it was looked at
 */
export async function openImage(
  reach: AdoptReach,
  node: AdoptNode,
  baseStamp: FileStat | undefined,
): Promise<OpenedImage> {
  const files: string[] = [node.path];
  const allow = async (path: string): Promise<void> => {
    const real = await realpath(path);
    checkReach(reach, real, node.path);
    files.push(real);
  };
  const disk = await openDisk(node, allow);
  try {
    const base = disk instanceof Qcow2Disk ? disk.backing : null;
    const stamps = new Map(files.map((path) => [path, stampOf(path)]));
    if ((base === null) !== (node.base === null)) throw changed(node.path);
    const under = node.base?.path;
    if (under !== undefined) {
      const now = stamps.get(under);
      if (now === undefined || (baseStamp !== undefined && !isSame(now, baseStamp))) throw changed(under);
    }
    return {
      disk,
      base,
      stamp: stampOf(node.path),
      warnings: warningsOf(node.path, disk),
      checkUnchanged: () => {
        for (const [path, stamp] of stamps) if (!isSame(stampOf(path), stamp)) throw changed(path);
      },
      [Symbol.asyncDispose]: () => disk.close(),
    };
  } catch (error) {
    await disk.close();
    throw error;
  }
}

function openDisk({ path, format }: AdoptNode, allow: (path: string) => Promise<void>): Promise<Disk> {
  if (format === 'raw') return openRawDisk(path);
  const dataFile = followDataFile({ allow });
  return openQcow2(path, { backing: followBacking({ dataFile, allow }), dataFile });
}

function stampOf(path: string): FileStat {
  const stat = statFile(path);
  if (stat === undefined) throw changed(path);
  return stat;
}

function isSame(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.inode === b.inode && a.device === b.device;
}

function changed(path: string): CalveError {
  return new CalveError('in-use', `${path} changed while it was being adopted`, {
    hint: 'calve adopt again, when nobody writes to it',
    data: { path },
  });
}

function warningsOf(path: string, disk: Disk): string[] {
  if (!(disk instanceof Qcow2Disk)) return [];
  const { snapshotCount } = disk.header;
  if (snapshotCount === 0) return [...disk.warnings];
  const kept = `calve import --chain --snapshots ${path} keeps them`;
  return [
    ...disk.warnings,
    `${path} has ${snapshotCount} internal snapshots; only its current state was adopted; ${kept}`,
  ];
}
