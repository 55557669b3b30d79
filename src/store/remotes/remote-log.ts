import * as v from 'valibot';
import { digestSchema } from '../../oci/index.ts';
import type { StoreContext } from '../context.ts';
import { appendLine, linesFromEnd } from '../json-lines.ts';
import type { RemoteMove } from '../types.ts';

/** A line of `logs/remotes.jsonl`. */
const remoteMoveSchema: v.GenericSchema<unknown, RemoteMove> = v.object({
  id: v.string(),
  time: v.pipe(v.string(), v.isoTimestamp()),
  command: v.picklist(['push', 'pull']),
  remote: v.string(),
  ref: v.nullable(v.string()),
  from: v.nullable(digestSchema),
  to: digestSchema,
});

/** Notes that something was pushed or pulled, once it was. The store lock is held. */
export async function appendRemoteMove(context: StoreContext, move: RemoteMove): Promise<void> {
  context.step('log what was transferred');
  await appendLine(context.layout.remoteLog, move);
}

/**
 * What was pushed and pulled, the newest first, read as the caller goes along.
 * @throws CalveError `corrupt` naming the line's place and field
 */
export function remoteMoves(context: StoreContext): Generator<RemoteMove> {
  return linesFromEnd(context.layout.remoteLog, remoteMoveSchema);
}
