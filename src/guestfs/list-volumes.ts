import { type Disk, sliceDisk } from '../disk/index.ts';
import { GuestVolume } from './guest-volume.ts';
import { identify } from './identify.ts';
import { readPartitions } from './partitions/read-partitions.ts';

/**
 * What a disk is divided into: its partitions by their place (GPT, or MBR with logical ones), or the whole disk when
 * it has no partition table.
 *
 * @param disk stays open
 * @throws CalveError `corrupt` when it has a partition table that is broken; `io`
 */
export async function listVolumes(disk: Disk): Promise<GuestVolume[]> {
  const partitions = await readPartitions(disk);
  if (partitions === undefined) return [new GuestVolume(disk, null, await identify(disk))];
  const found: GuestVolume[] = [];
  for (const partition of partitions) {
    await using part = sliceDisk(disk, partition.offset, partition.size, { leaveOpen: true });
    found.push(new GuestVolume(disk, partition, await identify(part)));
  }
  return found;
}
