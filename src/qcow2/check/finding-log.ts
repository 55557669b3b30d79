import { type CheckFinding, FINDINGS, type FindingKind } from './finding.ts';

/** A finding, short of what its kind says of it. */
export type FindingDetail = Omit<CheckFinding, 'kind' | 'severity' | 'times'>;

/** Counts findings, all of them, and keeps the first. */
export class FindingLog {
  readonly findings: CheckFinding[] = [];
  readonly #most: number;
  readonly #counts = new Map<FindingKind, number>();
  #leftOut = 0;

  /** @param most how many findings to keep */
  constructor(most: number) {
    this.#most = most;
  }

  /** Findings that were counted and not kept. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /**
   * Counts one finding.
   * @param times how many of its kind it stands for; none, and there is nothing to count
   * @param describe called only when there is room to keep it: a hostile image has millions
   */
  add(kind: FindingKind, times: number, describe: () => FindingDetail): void {
    if (times === 0) return;
    this.#counts.set(kind, this.count(kind) + times);
    if (this.findings.length < this.#most) {
      this.findings.push({ kind, severity: FINDINGS[kind], times, ...describe() });
    } else {
      this.#leftOut += 1;
    }
  }

  count(kind: FindingKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** How many were counted, of these kinds together. */
  countAll(kinds: Iterable<FindingKind>): number {
    let sum = 0;
    for (const kind of kinds) sum += this.count(kind);
    return sum;
  }

  /** How many were counted of one severity. */
  total(severity: CheckFinding['severity']): number {
    let sum = 0;
    for (const [kind, count] of this.#counts) if (FINDINGS[kind] === severity) sum += count;
    return sum;
  }
}
