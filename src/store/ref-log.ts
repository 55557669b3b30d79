import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import * as v from 'valibot';
import { CalveError, systemError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { canonicalJson, digestSchema, parseDocument } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import type { RefMove } from './types.ts';

/** A line of `logs/refs.jsonl`. */
export const refMoveSchema: v.GenericSchema<unknown, RefMove> = v.object({
  id: v.string(),
  time: v.pipe(v.string(), v.isoTimestamp()),
  ref: v.string(),
  from: v.nullable(digestSchema),
  to: v.nullable(digestSchema),
  command: v.string(),
});

const NEWLINE = 0x0a;
const CHUNK = 65536;

/**
 * Appends a move to the log, durably. The store lock is held. A last line without its end is a crash's leftover,
 * whose move the journal still has: it is cut off.
 */
export async function appendRefMove(context: StoreContext, move: RefMove): Promise<void> {
  const path = context.layout.refLog;
  await using file = await openLog(path);
  const end = wholeLinesEnd(file.fd, file.stat().size);
  await file.truncate(end);
  await file.write(Buffer.from(`${canonicalJson(move)}\n`), end);
  await file.sync();
}

/** Whether the last line is this move: since moves are logged under the store lock, a move replayed is the last. */
export function isLastRefMove(context: StoreContext, id: string): boolean {
  for (const move of refMoves(context)) return move.id === id;
  return false;
}

/**
 * The moves of every ref, newest first, read from the end of the log as the caller goes along.
 * @throws CalveError `corrupt` naming the line's place and field
 */
export function* refMoves(context: StoreContext): Generator<RefMove> {
  const path = context.layout.refLog;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    const failed = systemError(`cannot open ${path}`, error);
    if (failed.code === 'not-found') return;
    throw failed;
  }
  try {
    let end = wholeLinesEnd(fd, fstatSync(fd).size);
    let tail = Buffer.alloc(0);
    while (end > 0) {
      const start = Math.max(0, end - CHUNK);
      tail = Buffer.concat([readRange(fd, start, end), tail]);
      // All lines but the first, whose beginning may lie before this chunk.
      for (let to = tail.length - 1; to > 0; ) {
        const from = tail.lastIndexOf(NEWLINE, to - 1) + 1;
        if (from === 0 && start > 0) break;
        yield parseDocument(
          tail.toString('utf8', from, to),
          refMoveSchema,
          `${path} at byte ${start + from}`,
        );
        tail = tail.subarray(0, from);
        to = from - 1;
      }
      end = start;
    }
  } finally {
    closeSync(fd);
  }
}

/** The length of the log without a last line that was not finished. */
function wholeLinesEnd(fd: number, size: number): number {
  for (let end = size; end > 0; end -= CHUNK) {
    const start = Math.max(0, end - CHUNK);
    const at = readRange(fd, start, end).lastIndexOf(NEWLINE);
    if (at >= 0) return start + at + 1;
  }
  return 0;
}

function readRange(fd: number, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  const count = readSync(fd, bytes, 0, bytes.length, start);
  return bytes.subarray(0, count);
}

async function openLog(path: string) {
  try {
    return await openFile(path, { writable: true });
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
    return openFile(path, { create: true });
  }
}
