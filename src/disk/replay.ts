import { CalveError } from '../errors/index.ts';
import type { WritableDisk } from './disk.ts';
import type { DiskLog, RecordedOperation } from './disk-log.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/** What a disk writes whole or not at all, in bytes. */
export const SECTOR = 512;

/**
 * What of the operations that may be lost is lost: whole operations, or an answer for each sector that an operation
 * touches, counted from 0 at its first. A resize has sector 0 alone.
 */
export type Lost =
  | ReadonlySet<RecordedOperation>
  | ((operation: RecordedOperation, sector: number) => boolean);

/**
 * Does again, onto another disk, what a log had seen by a cut, but for what is lost. Only what a loss of power could
 * take is taken, whatever `lost` says:
 *
 * - What ended before a flush began is there, if the flush had ended by the cut. The rest, even older than the flush's
 *   end, is there or not, in any combination, sector by sector (512 bytes, by the disk's offsets).
 * - Of what is there, the later beginning lies on top.
 * - Sizes change in order: with one resize all later ones are lost, and then what lies past a size that was lost or
 *   never came, as a file's blocks past its end.
 *
 * @param upTo the cut, in the log's moments
 * @param onto holds what the recorded disk held when recording began
 * @throws CalveError `unsupported` when a resize is to be done on a disk that cannot; what the disk throws
 * @example
 * // Nothing but what was flushed.
 * await replay(log, log.moment, () => true, left);
 */
export async function replay(log: DiskLog, upTo: number, lost: Lost, onto: WritableDisk): Promise<void> {
  const isLost = typeof lost === 'function' ? lost : (operation: RecordedOperation) => lost.has(operation);
  const before = [...log.before(upTo)];
  const lastDurableResize = before.findLastIndex((one) => one.durable && one.operation.kind === 'resize');
  /** The smallest size that was lost. */
  let reach = Number.POSITIVE_INFINITY;
  for (const [index, { operation, durable }] of before.entries()) {
    const { kind, offset, length } = operation;
    if (kind === 'resize') {
      if (index > lastDurableResize && (reach < Number.POSITIVE_INFINITY || isLost(operation, 0))) {
        reach = Math.min(reach, length);
      } else {
        await resize(onto, length);
      }
    } else if (durable) {
      await redo(operation, { start: offset, end: Math.min(offset + length, onto.size) }, onto);
    } else {
      const end = Math.min(offset + length, onto.size, reach);
      const runs = keptRuns(offset, end, (sector) => !isLost(operation, sector));
      for (const run of runs) await redo(operation, run, onto);
    }
  }
}

async function resize(onto: WritableDisk, size: number): Promise<void> {
  if (!onto.resize) {
    throw new CalveError('unsupported', `cannot replay a resize to ${size} bytes: the disk keeps its size`);
  }
  await onto.resize(size);
}

interface Run {
  readonly start: number;
  readonly end: number;
}

/** The parts of a range whose sectors are kept, neighbours as one. */
function* keptRuns(offset: number, end: number, keeps: (sector: number) => boolean): Generator<Run> {
  const first = Math.floor(offset / SECTOR);
  let start = offset;
  for (let at = offset; at < end; ) {
    const sector = Math.floor(at / SECTOR);
    const next = Math.min((sector + 1) * SECTOR, end);
    if (!keeps(sector - first)) {
      if (start < at) yield { start, end: at };
      start = next;
    }
    at = next;
  }
  if (start < end) yield { start, end };
}

async function redo(operation: RecordedOperation, { start, end }: Run, onto: WritableDisk): Promise<void> {
  const { kind, offset, contents } = operation;
  if (start >= end) return;
  if (contents) await onto.write(contents.slice(start - offset, end - offset), start);
  else if (kind === 'discard') await onto.discard?.(start, end - start);
  else await writeZeroesTo(onto, start, end - start);
}
