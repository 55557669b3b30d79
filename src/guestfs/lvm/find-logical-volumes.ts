import { type Disk, sliceDisk } from '../../disk/index.ts';
import type { DiskRange } from '../file-tree.ts';
import { corrupt } from './corrupt.ts';
import type { LogicalVolume } from './logical-volume.ts';
import { logicalVolumes, type VolumeGroup, volumeGroup } from './logical-volumes.ts';
import { parseConfig } from './parse-config.ts';
import { readPhysicalVolume } from './read-metadata.ts';

/**
 * The logical volumes of all volume groups that have a physical volume on a disk, by their names.
 *
 * @param disk whole; stays open
 * @param places where its physical volumes lie
 * @throws CalveError `corrupt`
 */
export async function findLogicalVolumes(disk: Disk, places: readonly DiskRange[]): Promise<LogicalVolume[]> {
  const found = new Map<string, DiskRange>();
  /** By its name and the UUID; the text with the highest number counts, where one physical volume was away meanwhile. */
  const groups = new Map<string, VolumeGroup>();
  for (const place of places) {
    await using part = sliceDisk(disk, place.offset, place.length, { leaveOpen: true });
    const { uuid, metadata } = await readPhysicalVolume(part);
    if (found.has(uuid)) throw corrupt('physical volumes', 'two have one UUID');
    found.set(uuid, place);
    if (metadata === null) continue;
    const group = volumeGroup(parseConfig(metadata));
    const key = `${group.name} ${group.section['id']}`;
    const known = groups.get(key);
    if (known === undefined || sequence(group) > sequence(known)) groups.set(key, group);
  }
  return [...groups.values()]
    .flatMap((group) => logicalVolumes(group, found))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sequence({ section }: VolumeGroup): number {
  return Number(section['seqno']);
}
