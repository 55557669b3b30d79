import type { Digest } from '../oci/index.ts';
import type { FsckProblem, Standing } from './types.ts';

const NOTHING: Standing = { versions: [], refs: [], envs: [], trash: [] };

/** The command that fetches blobs, as a hint. */
export const FETCH = 'calve fsck --repair --from REMOTE';
/** The command that mends what needs no source, as a hint. */
export const REPAIR = 'calve fsck --repair';

/** A problem, short of what does not apply. */
interface Finding {
  readonly kind: FsckProblem['kind'];
  readonly where: string;
  readonly message: string;
  readonly hint: string;
  readonly standing?: Standing;
  readonly needs?: Digest;
}

/** What fsck found so far; of one place one problem of a kind. */
export class FsckFindings {
  readonly problems: FsckProblem[] = [];
  readonly #known = new Set<string>();

  add({ kind, where, message, hint, standing = NOTHING, needs }: Finding): void {
    const key = `${kind} ${where}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.problems.push({ kind, where, message, standing, hint, needs: needs ?? null });
  }
}
