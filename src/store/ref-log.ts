import * as v from 'valibot';
import { digestSchema } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { appendLine, endOfLines, linesBetween, linesFromEnd } from './json-lines.ts';
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

/** Appends a move to the log, durably. The store lock is held. */
export async function appendRefMove(context: StoreContext, move: RefMove): Promise<void> {
  await appendLine(context.layout.refLog, move);
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
export function refMoves(context: StoreContext): Generator<RefMove> {
  return linesFromEnd(context.layout.refLog, refMoveSchema);
}

/** Where the log ends now; what is logged later comes behind. */
export function refLogEnd(context: StoreContext): number {
  return endOfLines(context.layout.refLog);
}

/** The moves that were logged between two ends of the log, oldest first. */
export function refMovesBetween(context: StoreContext, from: number, to: number): Generator<RefMove> {
  return linesBetween(context.layout.refLog, refMoveSchema, from, to);
}
