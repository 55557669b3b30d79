import type { FsckProblem, Standing } from './types.ts';

const NOTHING: Standing = { versions: [], refs: [], envs: [], trash: [] };

/** What fsck found so far; of one place one problem of a kind. */
export class FsckFindings {
  readonly problems: FsckProblem[] = [];

  add(kind: FsckProblem['kind'], where: string, message: string, standing: Standing = NOTHING): void {
    if (this.problems.some((problem) => problem.kind === kind && problem.where === where)) return;
    this.problems.push({ kind, where, message, standing });
  }
}
