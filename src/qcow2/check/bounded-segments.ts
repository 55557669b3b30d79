import { CalveError } from '../../errors/index.ts';
import { type TablePlace, type TableSegment, tableSegments } from './table-segments.ts';

/** Bytes of tables of one kind: those of a thousand snapshots of a disk of 64 TiB. */
const MOST = 1024 ** 3;

/**
 * The parts of tables that lie in the file, each once; behind its end there are only zeros.
 * @throws CalveError `out-of-range` when there is more to read than any sound image has
 */
export function boundedSegments<Table extends TablePlace>(
  tables: readonly Table[],
  fileEnd: number,
): TableSegment<Table>[] {
  const segments: TableSegment<Table>[] = [];
  let total = 0;
  for (const segment of tableSegments(tables)) {
    const length = Math.min(segment.length, fileEnd - segment.offset);
    // Whole entries: the last one may be cut off.
    if (length >= 8) segments.push({ ...segment, length: length - (length % 8) });
    total += Math.max(0, length);
  }
  if (total > MOST) {
    throw new CalveError('out-of-range', `expected tables of at most ${MOST} bytes in all, got ${total}`);
  }
  return segments;
}
