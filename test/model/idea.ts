import fc from 'fast-check';
import type { ModelDisk } from './model-disk.ts';
import type { Scene } from './scene.ts';
import { type RangeStep, type Step, type StepKind, UNIT } from './step.ts';

/**
 * The idea of a step: numbers that become a step of any disk whatsoever, so that a sequence of them stays one when some
 * are left out or made smaller.
 */
export interface Idea {
  readonly kind: StepKind;
  readonly at: number;
  readonly length: number;
  readonly value: number;
  readonly flag: boolean;
}

const WEIGHTS: Readonly<Record<StepKind, number>> = {
  write: 10,
  zero: 4,
  discard: 3,
  together: 3,
  compress: 3,
  flush: 3,
  reopen: 1,
  create: 2,
  apply: 1,
  delete: 1,
  resize: 2,
};

/** Sequences of ideas; fast-check leaves some of them out when one fails. */
export function ideas(most: number): fc.Arbitrary<Idea[]> {
  const kinds = Object.entries(WEIGHTS).map(([kind, weight]) => ({
    weight,
    arbitrary: fc.constant(kind as StepKind),
  }));
  const idea = fc.record({
    kind: fc.oneof(...kinds),
    at: fc.nat(2 ** 20),
    length: fc.nat(2 ** 20),
    value: fc.nat(254),
    flag: fc.boolean(),
  });
  return fc.array(idea, { minLength: 1, maxLength: most, size: 'max' });
}

/** An idea as a step of a disk; undefined where it means nothing there. */
export function stepOf(idea: Idea, disk: ModelDisk, scene: Scene): Step | undefined {
  const { kind, value } = idea;
  switch (kind) {
    case 'write':
    case 'zero':
    case 'discard':
      return rangeStep(kind, idea, 0, disk.units.length, scene);
    case 'compress':
      return compress(idea, disk, scene);
    case 'together':
      return together(idea, disk, scene);
    case 'resize':
      return resize(idea, disk, scene);
    case 'create': {
      const snapshot = `s${value}`;
      const room = disk.snapshots.size < scene.mostSnapshots && !disk.snapshots.has(snapshot);
      return room ? { kind, snapshot } : undefined;
    }
    case 'apply':
    case 'delete': {
      const snapshot = [...disk.snapshots.keys()][idea.at % Math.max(1, disk.snapshots.size)];
      if (snapshot === undefined) return undefined;
      const sameSize = disk.snapshots.get(snapshot)?.length === disk.units.length;
      return kind === 'apply' && !sameSize && !canResize(disk, scene) ? undefined : { kind, snapshot };
    }
    default:
      return { kind };
  }
}

function rangeStep(
  kind: RangeStep['kind'],
  idea: Idea,
  start: number,
  end: number,
  scene: Scene,
): RangeStep | undefined {
  const [from, to] = range(idea, start, end, scene);
  if (from >= to) return undefined;
  switch (kind) {
    case 'write':
      return { kind, from, to, value: 1 + idea.value };
    case 'zero':
      return { kind, from, to, unmap: idea.flag };
    default:
      return { kind, from, to };
  }
}

/** Ranges begin and end at units, sectors or clusters; most are short. */
function range(
  { at, length, value }: Idea,
  start: number,
  end: number,
  { clusterSize }: Scene,
): [number, number] {
  const grain = [1, 512 / UNIT, clusterSize / UNIT][value % 3] ?? 1;
  const span = end - start;
  const most = value % 5 === 0 ? span : Math.min(span, Math.max(8, (3 * clusterSize) / UNIT));
  const from = start + (at % Math.max(1, span));
  const to = Math.min(end, from + 1 + (length % Math.max(1, most)));
  const rounded = Math.max(start, from - (from % grain));
  return [rounded, Math.min(end, Math.max(rounded + 1, Math.ceil(to / grain) * grain))];
}

function compress(idea: Idea, disk: ModelDisk, { clusterSize }: Scene): Step | undefined {
  const perCluster = clusterSize / UNIT;
  const clusters = Math.ceil(disk.units.length / perCluster);
  if (clusters === 0) return undefined;
  const first = idea.at % clusters;
  const end = Math.min(clusters, first + 1 + (idea.length % 3));
  const to = Math.min(disk.units.length, end * perCluster);
  return { kind: 'compress', from: first * perCluster, to, value: 1 + idea.value };
}

/** Parts of the disk of their own, which meet inside clusters unless something is discarded. */
function together(idea: Idea, disk: ModelDisk, scene: Scene): Step | undefined {
  const half = idea.at % Math.max(1, disk.units.length);
  const kinds: RangeStep['kind'][] = idea.value % 2 === 0 ? ['write', 'write'] : ['zero', 'write'];
  const other = { ...idea, at: idea.length, length: idea.at, value: (idea.value * 7) % 255 };
  const steps = [
    rangeStep(kinds[0] ?? 'write', idea, 0, half, scene),
    rangeStep(kinds[1] ?? 'write', other, half, disk.units.length, scene),
  ].filter((step) => step !== undefined);
  return steps.length === 0 ? undefined : { kind: 'together', steps, flush: idea.flag };
}

/** Whole sectors, up to half as much again as the disk had at first. */
function resize(idea: Idea, disk: ModelDisk, scene: Scene): Step | undefined {
  if (!canResize(disk, scene)) return undefined;
  const sectors = 1 + (idea.at % Math.floor((scene.size / 512) * 1.5));
  return { kind: 'resize', units: (sectors * 512) / UNIT };
}

/** Version 2 has no room for the disk's size in a snapshot. */
function canResize(disk: ModelDisk, scene: Scene): boolean {
  return scene.version === 3 || disk.snapshots.size === 0;
}
