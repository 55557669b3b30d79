import { setImmediate as turn } from 'node:timers/promises';
import type { Disk } from '../../disk/index.ts';
import { Chunk, CommandFlag } from '../protocol/numbers.ts';
import type { ReplyFormat } from '../protocol/reply-format.ts';
import { type ReceivedRequest, writeNumber64 } from '../protocol/request.ts';
import type { ContextExtent, MetaContext } from './meta-context.ts';

/** A context that a client chose, by the number that its replies carry. */
export interface ChosenContext {
  readonly id: number;
  readonly context: MetaContext;
}

/**
 * Descriptors of a context in one reply, which bounds what it takes of memory; the specification asks for no more than
 * 2^20. The client asks again for what is left.
 */
const MOST_DESCRIPTORS = 1 << 14;
/** Extents that are looked at for one reply, neighbours that are alike included. */
const MOST_EXTENTS = 1 << 18;
/** Extents after which others have their turn. */
const A_TURN = 1 << 10;

/** The chunks that answer a block status request, one a context. */
export async function blockStatusChunks(
  format: ReplyFormat,
  request: ReceivedRequest,
  disk: Disk,
  chosen: readonly ChosenContext[],
): Promise<Buffer[]> {
  const most = (request.flags & CommandFlag.requestOne) === 0 ? MOST_DESCRIPTORS : 1;
  const chunks: Buffer[] = [];
  for (const { id, context } of chosen) {
    const extents = await describe(context.extents(disk, request.offset, request.length), most);
    chunks.push(encode(format, request, id, extents, chunks.length + 1 === chosen.length));
  }
  return chunks;
}

/** The first extents, neighbours that are alike merged. */
async function describe(extents: AsyncIterable<ContextExtent>, most: number): Promise<ContextExtent[]> {
  const merged: { length: number; flags: number }[] = [];
  let seen = 0;
  for await (const { length, flags } of extents) {
    const last = merged.at(-1);
    if (last?.flags === flags) last.length += length;
    else if (merged.length === most) break;
    else merged.push({ length, flags });
    seen += 1;
    if (seen === MOST_EXTENTS) break;
    if (seen % A_TURN === 0) await turn();
  }
  return merged;
}

function encode(
  format: ReplyFormat,
  request: ReceivedRequest,
  id: number,
  extents: readonly ContextExtent[],
  last: boolean,
): Buffer {
  const extended = format.mode === 'extended';
  const [type, fixed, each] = extended
    ? ([Chunk.blockStatusExtended, 8, 16] as const)
    : ([Chunk.blockStatus, 4, 8] as const);
  const { bytes, at } = format.chunk(request, type, last, fixed + each * extents.length);
  bytes.writeUInt32BE(id, at);
  if (extended) bytes.writeUInt32BE(extents.length, at + 4);
  let place = at + fixed;
  for (const { length, flags } of extents) {
    if (extended) {
      writeNumber64(bytes, length, place);
      writeNumber64(bytes, flags, place + 8);
    } else {
      bytes.writeUInt32BE(length, place);
      bytes.writeUInt32BE(flags, place + 4);
    }
    place += each;
  }
  return bytes;
}
