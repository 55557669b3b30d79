import { CalveError } from '../../errors/index.ts';
import type { GuestStat } from './guest-stat.ts';

/** Numbers in one subvolume of btrfs, where each has its own. */
const IN_A_SUBVOLUME = 2 ** 40;
const MOST_SUBVOLUMES = 2 ** 13;
/** Of the empty directory that stands where a snapshot has a subvolume below it: all of these have it. */
const EMPTY_SUBVOLUME = 2;

/**
 * Numbers that are unique in a file system: those of the kernel, but in a subvolume of btrfs other than the first, which has
 * numbers of its own. There they are that and 2^40 for each subvolume that was met before.
 */
export class InodeNumbers {
  readonly #homes = new Map<string, number>();

  /**
   * @param place tells it from others
   * @throws CalveError `unsupported` for numbers or subvolumes beyond what can be told apart
   */
  of(stat: GuestStat, place: string): number {
    const isEmptySubvolume =
      this.#homes.size > 0 && stat.number === EMPTY_SUBVOLUME && stat.type === 'directory';
    const home = isEmptySubvolume ? `${stat.home} ${place}` : stat.home;
    const ordinal = this.#homes.get(home) ?? this.#homes.size;
    this.#homes.set(home, ordinal);
    if (ordinal === 0) return stat.number;
    if (ordinal < MOST_SUBVOLUMES && stat.number < IN_A_SUBVOLUME)
      return ordinal * IN_A_SUBVOLUME + stat.number;
    throw new CalveError(
      'unsupported',
      `a file system with more than ${MOST_SUBVOLUMES} subvolumes, or more than ${IN_A_SUBVOLUME} files in one`,
    );
  }
}
