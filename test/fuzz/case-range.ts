/** Which cases a process runs, and which of them QEMU checks too. */
export interface CaseRange {
  readonly seed: number;
  readonly first: number;
  /** The one behind the last. */
  readonly end: number;
  /** One in so many. */
  readonly qemuEvery: number;
  /** A folder of the process's own. */
  readonly folder: string;
}

/** What came of the cases of a range; failures are told as they happen. */
export interface CaseTotals {
  cases: number;
  /** Images that opened for reading, that took writes, and whose check came to its end. */
  opened: number;
  written: number;
  checked: number;
  /** What QEMU's check said of those that it was shown. */
  compared: number;
  same: number;
  refusedByOne: number;
  explained: Record<string, number>;
  /** Of the process, in MiB. */
  peakMemory: number;
  /** Of one case, in CPU milliseconds. */
  slowest: number;
  slowestCase: number;
}

export function noTotals(): CaseTotals {
  return {
    cases: 0,
    opened: 0,
    written: 0,
    checked: 0,
    compared: 0,
    same: 0,
    refusedByOne: 0,
    explained: {},
    peakMemory: 0,
    slowest: 0,
    slowestCase: -1,
  };
}

/** Adds what one process counted to the sum of all. */
export function addTotals(sum: CaseTotals, more: CaseTotals): void {
  for (const name of ['cases', 'opened', 'written', 'checked', 'compared', 'same', 'refusedByOne'] as const) {
    sum[name] += more[name];
  }
  for (const [reason, count] of Object.entries(more.explained)) {
    sum.explained[reason] = (sum.explained[reason] ?? 0) + count;
  }
  sum.peakMemory = Math.max(sum.peakMemory, more.peakMemory);
  if (more.slowest > sum.slowest) {
    sum.slowest = more.slowest;
    sum.slowestCase = more.slowestCase;
  }
}

/** What a process tells the one that watches it. */
export type Message =
  | { readonly kind: 'begins'; readonly case: number }
  | { readonly kind: 'failed'; readonly case: number; readonly reason: string }
  | { readonly kind: 'done'; readonly totals: CaseTotals };
