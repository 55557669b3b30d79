import { type ImageFile, QUICK_READ } from '../image-file.ts';
import { isTimeForOthers, letOthersRun } from './take-turns.ts';

/** Neighbouring tables, read at once. Valid until the next is asked for. */
export interface TableRun {
  /** Position of its first table among the offsets. */
  readonly first: number;
  readonly count: number;
  /** Where `bytes` lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Reads under way at a time, for devices that like it. */
const AHEAD = 4;
/** Bytes between two tables that are cheaper to read than to skip. */
const GAP = 4096;

interface RunPlace {
  readonly first: number;
  readonly count: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads tables of one size in the order of the file, neighbours together, a few reads ahead. Past the end of the file
 * there are zeros.
 * @param offsets ascending
 */
export async function* readTables(
  file: ImageFile,
  offsets: Float64Array,
  length: number,
): AsyncGenerator<TableRun> {
  const most = Math.max(length, QUICK_READ);
  // A few small tables, as most images have, need no more than they fill.
  const size = Math.min(most, (offsets.at(-1) ?? 0) - (offsets[0] ?? 0) + length);
  const buffers: Uint8Array[] = [];
  const ahead: Promise<TableRun>[] = [];
  let turn = 0;
  for (const place of runPlaces(offsets, length, most)) {
    const slot = turn % (AHEAD + 1);
    const buffer = buffers[slot] ?? new Uint8Array(size);
    buffers[slot] = buffer;
    const run = readRun(file, place, buffer.subarray(0, place.length));
    // Whoever waits for an earlier one gets to know of this failure in its turn.
    run.catch(() => {});
    ahead.push(run);
    turn += 1;
    const next = ahead.length === AHEAD ? ahead.shift() : undefined;
    if (!next) continue;
    if (isTimeForOthers()) await letOthersRun();
    yield await next;
  }
  for (const run of ahead) yield await run;
}

/** A table of a run. */
export function tableIn(run: TableRun, offset: number, length: number): DataView {
  return new DataView(run.bytes.buffer, run.bytes.byteOffset + offset - run.offset, length);
}

function* runPlaces(offsets: Float64Array, length: number, most: number): Generator<RunPlace> {
  let first = 0;
  while (first < offsets.length) {
    const offset = offsets[first] ?? 0;
    let end = offset + length;
    let next = first + 1;
    for (; next < offsets.length; next += 1) {
      const at = offsets[next] ?? 0;
      if (at > end + GAP || at + length > offset + most) break;
      end = at + length;
    }
    yield { first, count: next - first, offset, length: end - offset };
    first = next;
  }
}

async function readRun(file: ImageFile, place: RunPlace, bytes: Uint8Array): Promise<TableRun> {
  if (!file.tryRead(bytes, place.offset)) await file.read(bytes, place.offset);
  return { first: place.first, count: place.count, offset: place.offset, bytes };
}
