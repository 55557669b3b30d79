import { CalveError } from '../../errors/index.ts';
import { MAX_HOST_OFFSET } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { clusterKind, compressedLength, compressedOffset, entryOffset } from '../table-entry.ts';

/** Host clusters in a row, by number, each referred to once. */
export interface References {
  readonly first: number;
  count: number;
  /** The L2 entry that refers to the first; the next refer to the next. Undefined of compressed data, of one entry. */
  readonly entry: number | undefined;
}

/**
 * The host clusters that an L2 table's entries refer to: of compressed data every one that it touches (trap 28).
 * @throws CalveError `corrupt` for an entry that no writer makes
 */
export function* clusterReferences(table: L2Table, geometry: Geometry): Generator<References> {
  const { clusterSize, clusterBits, tableEntries } = geometry;
  let run: References | undefined;
  for (let entry = 0; entry < tableEntries; entry += 1) {
    const high = table.high(entry);
    const low = table.low(entry);
    const kind = clusterKind(high, low);
    if (kind === 'compressed') {
      const offset = compressedOffset(high, low, clusterBits);
      if (offset >= MAX_HOST_OFFSET) throw corrupt(table, entry, 'a host offset below 2^56', offset);
      if (run) yield run;
      run = undefined;
      const first = Math.floor(offset / clusterSize);
      const end = Math.ceil((offset + compressedLength(high, low, clusterBits)) / clusterSize);
      yield { first, count: end - first, entry: undefined };
    } else if (kind === 'data' || kind === 'zero-allocated') {
      const offset = entryOffset(high, low);
      if (offset % clusterSize !== 0) throw corrupt(table, entry, `a multiple of ${clusterSize}`, offset);
      const cluster = offset / clusterSize;
      if (run && run.first + run.count === cluster && run.entry === entry - run.count) {
        run.count += 1;
      } else {
        if (run) yield run;
        run = { first: cluster, count: 1, entry };
      }
    }
  }
  if (run) yield run;
}

function corrupt(table: L2Table, entry: number, expected: string, got: number): CalveError {
  return new CalveError(
    'corrupt',
    `entry ${entry} of the L2 table at ${table.offset}: expected ${expected}, got ${got}`,
  );
}
