import { type Disk, sliceDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { GuestVolume } from './guest-volume.ts';
import { type Identity, identify } from './identify.ts';
import { SharedAppliance } from './libguestfs/shared-appliance.ts';
import { findLogicalVolumes } from './lvm/find-logical-volumes.ts';
import type { LogicalVolume } from './lvm/logical-volume.ts';
import { SegmentedDisk } from './lvm/segmented-disk.ts';
import type { Partition } from './partitions/partition.ts';
import { readPartitions } from './partitions/read-partitions.ts';

/** A place of a disk that has no divisions, or one that the partition table tells, with what it holds. */
interface Place {
  readonly partition: Partition | null;
  readonly identity: Identity;
}

/**
 * What a disk is divided into: its partitions by their place (GPT, or MBR with logical ones), or the whole disk when
 * it has no partition table; then the logical volumes of LVM by their names.
 *
 * @param disk stays open
 * @throws CalveError `corrupt` when it has a partition table that is broken; `io`
 */
export async function listVolumes(disk: Disk): Promise<GuestVolume[]> {
  const appliance = new SharedAppliance();
  const places: Place[] = [];
  for (const partition of (await readPartitions(disk)) ?? [null]) {
    const { offset, size } = partition ?? { offset: 0, size: disk.size };
    await using part = sliceDisk(disk, offset, size, { leaveOpen: true });
    places.push({ partition, identity: await identify(part) });
  }
  const physical = places.filter(({ identity }) => identity.kind === 'lvm');
  const logical = await logicalVolumes(disk, physical);
  const trouble = logical instanceof CalveError ? { trouble: logical } : {};
  const volumes = places.map(
    ({ partition, identity }) =>
      new GuestVolume(disk, partition, identity, {
        appliance,
        ...(identity.kind === 'lvm' ? trouble : {}),
      }),
  );
  for (const logicalVolume of logical instanceof CalveError ? [] : logical) {
    const partition = partitionOf(logicalVolume, physical);
    const identity = await identityOf(disk, logicalVolume);
    volumes.push(new GuestVolume(disk, partition, identity, { appliance, logicalVolume }));
  }
  return volumes;
}

/** Metadata that is broken keeps nobody from the other partitions. */
async function logicalVolumes(disk: Disk, physical: readonly Place[]): Promise<LogicalVolume[] | CalveError> {
  try {
    const ranges = physical.map(({ partition }) => ({
      offset: partition?.offset ?? 0,
      length: partition?.size ?? disk.size,
    }));
    return await findLogicalVolumes(disk, ranges);
  } catch (error) {
    if (CalveError.is(error, 'corrupt')) return error;
    throw error;
  }
}

async function identityOf(disk: Disk, { ranges }: LogicalVolume): Promise<Identity> {
  if (typeof ranges === 'string') return { kind: null, label: null, uuid: null };
  return identify(new SegmentedDisk(disk, ranges));
}

/** The physical volume that it begins in; the first one where that is not known. */
function partitionOf({ ranges }: LogicalVolume, physical: readonly Place[]): Partition | null {
  const offset = typeof ranges === 'string' ? undefined : ranges[0]?.offset;
  const found = physical.find(
    ({ partition }) =>
      partition !== null &&
      offset !== undefined &&
      offset >= partition.offset &&
      offset < partition.offset + partition.size,
  );
  return (found ?? physical[0])?.partition ?? null;
}
