import { isZero } from '../bytes/index.ts';
import type { Disk } from '../disk/index.ts';
import type { Range } from './ranges.ts';
import { readZeroExtended } from './read-zero-extended.ts';

/** A run of blocks that read differently in two disks. */
export interface BlockDifference extends Range {
  /** `added`: the first disk reads zeros there; `removed`: the second one does; `changed`: neither. */
  readonly kind: 'added' | 'removed' | 'changed';
}

/** Where and how finely to compare. */
export interface DifferenceOptions {
  /** The only ranges to look at, in order (default: everything). */
  readonly within?: AsyncIterable<Range>;
  /** Bytes of a block (default 4096). */
  readonly blockSize?: number;
  readonly signal?: AbortSignal;
  /** Called with the bytes compared so far. */
  readonly onProgress?: (done: number) => void;
}

const CHUNK = 1 << 20;

/**
 * The blocks in which two disks differ, in order; neighbours of one kind are merged. Past its end the shorter
 * disk reads zeros.
 *
 * @throws CalveError what reading the disks throws; the signal's reason when it is aborted
 */
export async function* differences(
  a: Disk,
  b: Disk,
  options: DifferenceOptions = {},
): AsyncGenerator<BlockDifference> {
  const blockSize = options.blockSize ?? 4096;
  const buffers = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)] as const;
  const size = Math.max(a.size, b.size);
  let done = 0;
  let run: BlockDifference | undefined;
  for await (const range of options.within ?? everything(size)) {
    const end = Math.min(size, roundUp(range.offset + range.length, blockSize));
    const start = range.offset - (range.offset % blockSize);
    for (let at = start; at < end; at += CHUNK) {
      options.signal?.throwIfAborted();
      const length = Math.min(CHUNK, end - at);
      const [left, right] = [buffers[0].subarray(0, length), buffers[1].subarray(0, length)];
      await Promise.all([readZeroExtended(a, left, at), readZeroExtended(b, right, at)]);
      if (!left.equals(right)) {
        for (let from = 0; from < length; from += blockSize) {
          const kind = kindOf(left.subarray(from, from + blockSize), right.subarray(from, from + blockSize));
          if (kind === undefined) continue;
          const block = { offset: at + from, length: Math.min(blockSize, length - from), kind };
          if (run !== undefined && run.kind === kind && run.offset + run.length >= block.offset) {
            run = { kind, offset: run.offset, length: block.offset + block.length - run.offset };
          } else {
            if (run !== undefined) yield run;
            run = block;
          }
        }
      }
      done += length;
      options.onProgress?.(done);
    }
  }
  if (run !== undefined) yield run;
}

function kindOf(a: Buffer, b: Buffer): BlockDifference['kind'] | undefined {
  if (a.equals(b)) return undefined;
  if (isZero(a)) return 'added';
  return isZero(b) ? 'removed' : 'changed';
}

async function* everything(size: number): AsyncGenerator<Range> {
  if (size > 0) yield { offset: 0, length: size };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
