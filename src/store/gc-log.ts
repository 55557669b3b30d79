import * as v from 'valibot';
import { byteCount } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { appendLine, endOfLines, linesBetween } from './json-lines.ts';
import type { GcRun } from './types.ts';

/** A line of `logs/gc.jsonl`. */
const gcRunSchema: v.GenericSchema<unknown, GcRun> = v.object({
  id: v.string(),
  time: v.pipe(v.string(), v.isoTimestamp()),
  blobs: byteCount,
  trash: byteCount,
  freedBytes: byteCount,
});

/** Notes that gc deleted something, once it has: what is gone is gone whether or not a crash keeps this from being told. */
export async function appendGcRun(context: StoreContext, run: GcRun): Promise<void> {
  context.step('log the collection');
  await appendLine(context.layout.gcLog, run);
}

/** Where the log ends now. */
export function gcLogEnd(context: StoreContext): number {
  return endOfLines(context.layout.gcLog);
}

/** What was noted between two ends of the log, oldest first. */
export function gcRunsBetween(context: StoreContext, from: number, to: number): Generator<GcRun> {
  return linesBetween(context.layout.gcLog, gcRunSchema, from, to);
}
