import type { Geometry } from '../geometry.ts';
import type { ClusterReader } from '../mapping/cluster-reader.ts';
import type { GuestRange } from './ranges-around.ts';

/** Bytes and their place on the virtual disk. */
export interface GuestPiece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Up to this many bytes between two ranges are read along: a page costs less than a second read. */
const READ_ALONG = 4096;

/** What the disk reads around the data of a write, which has to come along to a new place. */
export class OldContent {
  readonly #reader: ClusterReader;
  readonly #geometry: Geometry;

  constructor(reader: ClusterReader, geometry: Geometry) {
    this.#reader = reader;
    this.#geometry = geometry;
  }

  /**
   * What ranges read now, in as few reads as possible. Behind the end of the disk are zeros.
   * @param ranges in order, apart from each other
   * @param withoutZeros leaves out what the tables alone tell to be zeros
   */
  async read(ranges: readonly GuestRange[], withoutZeros: boolean): Promise<GuestPiece[]> {
    const wanted = withoutZeros ? await this.#withoutZeros(ranges) : ranges;
    const pieces = await Promise.all(readTogether(wanted).map((group) => this.#readGroup(group)));
    return pieces.flat();
  }

  async #readGroup(group: readonly GuestRange[]): Promise<GuestPiece[]> {
    const start = group[0]?.from ?? 0;
    const bytes = new Uint8Array((group.at(-1)?.to ?? start) - start);
    await this.#reader.read(bytes.subarray(0, this.#inside(start, start + bytes.length)), start);
    return group.map(({ from, to }) => ({ at: from, bytes: bytes.subarray(from - start, to - start) }));
  }

  async #withoutZeros(ranges: readonly GuestRange[]): Promise<GuestRange[]> {
    const left: GuestRange[] = [];
    for (const range of ranges) {
      const zeros = await this.#reader.readsZeros(range.from, this.#inside(range.from, range.to));
      if (!zeros) left.push(range);
    }
    return left;
  }

  /** How many bytes of a range lie on the disk. */
  #inside(from: number, to: number): number {
    return Math.max(0, Math.min(to, this.#geometry.size) - from);
  }
}

function readTogether(ranges: readonly GuestRange[]): GuestRange[][] {
  const groups: GuestRange[][] = [];
  let group: GuestRange[] = [];
  for (const range of ranges) {
    const before = group.at(-1);
    if (!before || range.from - before.to > READ_ALONG) {
      group = [];
      groups.push(group);
    }
    group.push(range);
  }
  return groups;
}
