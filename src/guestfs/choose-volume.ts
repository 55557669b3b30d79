import { CalveError } from '../errors/index.ts';
import type { FileTree } from './file-tree.ts';
import type { GuestVolume } from './guest-volume.ts';

/** Directories without which no Linux system is. */
const IN_A_ROOT = ['etc', 'usr'];

/**
 * The volume whose files are meant: the one that is asked for, the only one with a file system that can be read, or
 * the only one of those read here that looks like the root of a Linux system. Nothing is started for it.
 *
 * @param wanted a partition's number, a logical volume's `GROUP/NAME`, or the label or UUID of what it holds
 * @throws CalveError `not-found`, `unsupported` when there is no such file system; `usage` when there are several
 */
export async function chooseVolume(volumes: readonly GuestVolume[], wanted?: string): Promise<GuestVolume> {
  if (wanted !== undefined) return wantedVolume(volumes, wanted);
  const readable = volumes.filter((volume) => volume.isReadable);
  if (readable.length === 0) {
    throw new CalveError('unsupported', `the disk has no file system that can be read: ${listed(volumes)}`, {
      data: { partitions: facts(volumes) },
    });
  }
  if (readable.length === 1) return readable[0] as GuestVolume;
  const roots: GuestVolume[] = [];
  for (const volume of readable) if (volume.isReadHere && (await isRoot(volume))) roots.push(volume);
  if (roots.length === 1) return roots[0] as GuestVolume;
  throw severalFileSystems(volumes);
}

/** @param volumes of which none is the one that must be meant */
export function severalFileSystems(volumes: readonly GuestVolume[]): CalveError {
  return new CalveError('usage', `the disk has several file systems: ${listed(volumes)}`, {
    hint: `say which one: -p ${volumes.find(({ isReadable }) => isReadable)?.name}`,
    data: { partitions: facts(volumes) },
  });
}

/**
 * The volume that is asked for by its number, by its name as a logical volume, or the label or UUID of what it holds.
 * @throws CalveError `not-found`; `usage` when there are several
 */
export function wantedVolume(volumes: readonly GuestVolume[], wanted: string): GuestVolume {
  const found = volumes.filter(
    (volume) =>
      volume.name === wanted ||
      (volume.isLogical && `/dev/${volume.name}` === wanted) ||
      volume.label === wanted ||
      volume.uuid?.toLowerCase() === wanted.toLowerCase(),
  );
  const [first] = found;
  if (first === undefined || found.length > 1) {
    throw new CalveError(
      first === undefined ? 'not-found' : 'usage',
      `${first === undefined ? 'no partition is' : 'several partitions are'} ${wanted}: the disk has ${listed(volumes)}`,
      { data: { partitions: facts(volumes) } },
    );
  }
  return first;
}

/** A file system that cannot be opened is no candidate; whoever names it learns why. */
async function isRoot(volume: GuestVolume): Promise<boolean> {
  try {
    await using tree: FileTree = await volume.open();
    return await looksLikeARoot(tree);
  } catch (error) {
    if (CalveError.is(error, 'corrupt') || CalveError.is(error, 'unsupported')) return false;
    throw error;
  }
}

/** Whether a file system has what the root of every Linux system has. */
export async function looksLikeARoot(tree: FileTree): Promise<boolean> {
  const names = new Set<string>();
  for await (const { name } of tree.list(await tree.root())) {
    const word = name.toString('latin1');
    if (IN_A_ROOT.includes(word)) names.add(word);
  }
  return names.size === IN_A_ROOT.length;
}

function listed(volumes: readonly GuestVolume[]): string {
  return volumes.length === 0 ? 'no partition' : volumes.map((volume) => volume.describe()).join(', ');
}

function facts(volumes: readonly GuestVolume[]): unknown {
  return volumes.map(({ number, name, kind, label, uuid, offset, size }) => ({
    number,
    name,
    kind,
    label,
    uuid,
    offset,
    size,
  }));
}
