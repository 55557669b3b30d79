/** Bytes of a unit: the model keeps one value for each. Half a sector, so that writes begin and end inside sectors. */
export const UNIT = 256;

/** A step that changes a range, `from` to `to`, in units. */
export type RangeStep =
  | { readonly kind: 'write'; readonly from: number; readonly to: number; readonly value: number }
  | { readonly kind: 'zero'; readonly from: number; readonly to: number; readonly unmap: boolean }
  | { readonly kind: 'discard'; readonly from: number; readonly to: number };

/** Something that is done to a disk. */
export type Step =
  | RangeStep
  /** All at one time; the ranges do not meet inside a cluster where one is discarded. */
  | { readonly kind: 'together'; readonly steps: readonly RangeStep[]; readonly flush: boolean }
  | { readonly kind: 'flush' | 'reopen' }
  /** Compressed: whole clusters. */
  | { readonly kind: 'compress'; readonly from: number; readonly to: number; readonly value: number }
  | { readonly kind: 'create' | 'apply' | 'delete'; readonly snapshot: string }
  /** The size afterwards, in units. */
  | { readonly kind: 'resize'; readonly units: number };

export type StepKind = Step['kind'];

/** A step in words, for the message of a test. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'write':
    case 'compress':
      return `${step.kind} ${step.value} to ${bytes(step)}`;
    case 'zero':
      return `zero${step.unmap ? '' : ' and keep'} ${bytes(step)}`;
    case 'discard':
      return `discard ${bytes(step)}`;
    case 'together':
      return `together: ${step.steps.map(describeStep).join(', ')}${step.flush ? ', flush' : ''}`;
    case 'create':
    case 'apply':
    case 'delete':
      return `${step.kind} snapshot ${step.snapshot}`;
    case 'resize':
      return `resize to ${step.units * UNIT}`;
    default:
      return step.kind;
  }
}

function bytes({ from, to }: { readonly from: number; readonly to: number }): string {
  return `${from * UNIT}..${to * UNIT}`;
}
