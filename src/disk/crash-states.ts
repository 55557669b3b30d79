import type { DiskLog, RecordedOperation } from './disk-log.ts';
import { SECTOR } from './replay.ts';

/** How crash states are chosen. */
export interface CrashOptions {
  /** A number in [0, 1) a call: a seeded one brings the same states back. */
  readonly random: () => number;
  /** The most states of each cut. */
  readonly samples: number;
  /** Operations may be lost in part, sector by sector (default true). */
  readonly torn?: boolean;
  /** The moments to cut at (default: after every beginning, every flush's end, and at the end). */
  readonly cuts?: Iterable<number>;
}

/** What a loss of power may leave: arguments for `replay`. */
export interface CrashState {
  readonly cut: number;
  readonly lost: (operation: RecordedOperation, sector: number) => boolean;
  /** In words, for the message of a test. */
  toString(): string;
}

/** What an operation loses. */
interface Loss {
  lost(sector: number): boolean;
  /** Which part of the operation it is, in words. */
  readonly part: string;
}

type Losses = ReadonlyMap<RecordedOperation, Loss>;

const ALL: Loss = { lost: () => true, part: '' };

/**
 * States that a disk may be in after a loss of power, by the rule that `replay` documents: for each cut, everything
 * flushed and any subset of the rest. All subsets of whole operations where `samples` allows; else a sample, with
 * nothing lost and everything lost first. What room is left is for torn operations.
 */
export function* crashStates(log: DiskLog, options: CrashOptions): Generator<CrashState> {
  for (const cut of options.cuts ?? cutsOf(log)) {
    const losable = [...log.before(cut)].filter(({ durable }) => !durable).map(({ operation }) => operation);
    for (const losses of lossesOf(losable, options)) yield state(cut, losses);
  }
}

function cutsOf(log: DiskLog): number[] {
  const cuts = log.operations.flatMap(({ kind, begun, ended }) => (kind === 'flush' ? [ended] : [begun]));
  const after = cuts.filter(Number.isFinite).map((moment) => moment + 1);
  return [...new Set([...after, log.moment])].sort((a, b) => a - b);
}

function* lossesOf(losable: readonly RecordedOperation[], options: CrashOptions): Generator<Losses> {
  const { random, samples, torn = true } = options;
  const subsets = 2 ** losable.length;
  let count = 0;
  if (subsets <= samples) {
    for (; count < subsets; count += 1) {
      // Numbers, not bits of one, only because samples may pass 2^31.
      const set = count;
      yield whole(losable.filter((_, index) => Math.floor(set / 2 ** index) % 2 === 1));
    }
    if (!torn || losable.length === 0) return;
  } else {
    yield* [[], losable].slice(0, samples).map(whole);
    count = 2;
  }
  for (; count < samples; count += 1)
    yield sample(losable, random, torn && (subsets <= samples || random() < 0.5));
}

function whole(operations: readonly RecordedOperation[]): Losses {
  return new Map(operations.map((operation) => [operation, ALL]));
}

/** A few lost, most lost, or half: evenly tossed coins alone would hardly ever lose or keep just one. */
function sample(losable: readonly RecordedOperation[], random: () => number, torn: boolean): Losses {
  const alone = Math.floor(random() * losable.length);
  const share = [0, 1, 0.5][Math.floor(random() * 3)] ?? 0.5;
  const losses = new Map<RecordedOperation, Loss>();
  for (const [index, operation] of losable.entries()) {
    const isAlone = index === alone && share !== 0.5;
    if (torn && (index === alone || random() < 0.25)) losses.set(operation, tear(operation, random));
    else if (isAlone ? share === 0 : random() < share) losses.set(operation, ALL);
  }
  return losses;
}

/** Loses a start, an end, or any sectors of an operation. A change of size has no parts. */
function tear({ kind, offset, length }: RecordedOperation, random: () => number): Loss {
  if (kind === 'resize') return ALL;
  const sectors = Math.ceil((offset + length) / SECTOR) - Math.floor(offset / SECTOR);
  const at = Math.floor(random() * (sectors + 1));
  const way = Math.floor(random() * 3);
  if (way === 0) return { lost: (sector) => sector < at, part: `the first ${at} sectors of ` };
  if (way === 1) return { lost: (sector) => sector >= at, part: `all but the first ${at} sectors of ` };
  const pattern = Array.from({ length: Math.min(sectors, 512) }, () => Math.floor(random() * 2));
  return {
    lost: (sector) => pattern[sector % pattern.length] === 1,
    part: `the sectors ${pattern.join('')} of `,
  };
}

function state(cut: number, losses: Losses): CrashState {
  return {
    cut,
    lost: (operation, sector) => losses.get(operation)?.lost(sector) === true,
    toString: () => {
      const words = [...losses].map(
        ([{ kind, index, offset, length }, { part }]) =>
          `${part}${kind} ${index} of ${length} bytes at ${offset}`,
      );
      return `cut at moment ${cut}, lost: ${words.join(', ') || 'nothing'}`;
    },
  };
}
