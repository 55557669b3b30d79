import { type Step, UNIT } from './step.ts';

/** What of an image decides what a disk reads after a step. Bytes. */
export interface ModelTraits {
  readonly clusterSize: number;
  /** Discarded clusters keep what they held: version 2 over a backing file (trap 21). */
  readonly discardKeeps: boolean;
}

/** What an image holds: a value for each unit of the disk, and those of its snapshots. Never changed, but replaced. */
export interface ModelDisk {
  readonly units: Uint8Array;
  readonly snapshots: ReadonlyMap<string, Uint8Array>;
}

/** What a step leaves of a disk, by the meaning of the words alone. */
export function after(disk: ModelDisk, step: Step, traits: ModelTraits): ModelDisk {
  const { units, snapshots } = disk;
  switch (step.kind) {
    case 'write':
    case 'compress':
      return { units: units.slice().fill(step.value, step.from, step.to), snapshots };
    case 'zero':
      return { units: units.slice().fill(0, step.from, step.to), snapshots };
    case 'discard':
      return { units: discarded(units, step, traits), snapshots };
    case 'together':
      return step.steps.reduce((before, each) => after(before, each, traits), disk);
    case 'create':
      return { units, snapshots: new Map([...snapshots, [step.snapshot, units]]) };
    case 'apply':
      return { units: snapshots.get(step.snapshot) ?? units, snapshots };
    case 'delete':
      return { units, snapshots: new Map([...snapshots].filter(([name]) => name !== step.snapshot)) };
    case 'resize': {
      const resized = new Uint8Array(step.units);
      resized.set(units.subarray(0, step.units));
      return { units: resized, snapshots };
    }
    default:
      return disk;
  }
}

/** Whole clusters, and what there is of the last one. */
function discarded(
  units: Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
  { clusterSize, discardKeeps }: ModelTraits,
): Uint8Array {
  if (discardKeeps) return units;
  const perCluster = clusterSize / UNIT;
  const first = Math.ceil(from / perCluster) * perCluster;
  const end = to === units.length ? to : Math.floor(to / perCluster) * perCluster;
  return first < end ? units.slice().fill(0, first, end) : units;
}

/** The bytes of a disk whose units hold these values. */
export function bytesOf(units: Uint8Array): Buffer {
  const bytes = Buffer.alloc(units.length * UNIT);
  units.forEach((value, unit) => {
    if (value !== 0) bytes.fill(value, unit * UNIT, (unit + 1) * UNIT);
  });
  return bytes;
}
