import { CommandFlag } from '../protocol/numbers.ts';
import type { ReceivedRequest } from '../protocol/request.ts';
import { takeBuffer } from './buffer-pool.ts';
import { failureOf } from './command-failure.ts';
import type { CommandScene } from './command-scene.ts';

/**
 * Reads, waiting for it, and sends; what is longer than a piece in pieces, so that what a client has in memory here is
 * bounded.
 * @throws CalveError what the disk throws, before the client was promised any data
 */
export async function sendRead(request: ReceivedRequest, scene: CommandScene): Promise<void> {
  const { format, batch, piece } = scene;
  const { offset, length, flags } = request;
  if (length <= piece) {
    batch.add(await readChunk(request, scene, offset, length, true));
  } else if (format.mode === 'simple' || (flags & CommandFlag.dontFragment) !== 0) {
    await sendInParts(request, scene);
  } else {
    await sendInChunks(request, scene);
  }
}

/** A structured reply: each piece is a chunk of its own. */
async function sendInChunks(request: ReceivedRequest, scene: CommandScene): Promise<void> {
  const { batch, piece } = scene;
  const end = request.offset + request.length;
  for (let at = request.offset; at < end && !batch.isGone; at += piece) {
    const length = Math.min(piece, end - at);
    batch.add(await readChunk(request, scene, at, length, at + length === end));
    batch.flush();
    await scene.room();
  }
}

/**
 * One reply, or one chunk, which promises all its data with its first byte. What fails later can only end the connection
 * where replies are simple; a chunk is filled up with zeros, and another one says that it is wrong.
 */
async function sendInParts(request: ReceivedRequest, scene: CommandScene): Promise<void> {
  const { format, hold, batch, piece } = scene;
  const { offset, length } = request;
  const isSimple = format.mode === 'simple';
  const first = await readChunk(request, scene, offset, piece, true);
  format.putDataPrefix(first, 0, request, offset, length, isSimple);
  await batch.inParts(async (send) => {
    await send(first);
    let failure: unknown;
    for (let at = offset + piece; at < offset + length && !batch.isGone; at += piece) {
      const size = Math.min(piece, offset + length - at);
      if (failure === undefined) {
        try {
          const part = takeBuffer(size);
          await hold.disk.read(part, at);
          await send(part);
          continue;
        } catch (error) {
          failure = error;
          scene.onFailure(error);
          if (isSimple) return batch.abandon();
        }
      }
      await send(Buffer.alloc(size));
    }
    if (!isSimple) await send(endOf(request, scene, failure));
  });
}

function endOf(request: ReceivedRequest, { format }: CommandScene, failure: unknown): Buffer {
  if (failure !== undefined) {
    const { errno, message } = failureOf(failure);
    return format.error(request, errno, message);
  }
  const done = Buffer.allocUnsafe(format.doneLength);
  format.putDone(done, 0, request);
  return done;
}

async function readChunk(
  request: ReceivedRequest,
  { format, hold }: CommandScene,
  offset: number,
  length: number,
  last: boolean,
): Promise<Buffer> {
  const chunk = takeBuffer(format.dataPrefix + length);
  // After a failure parts of it may still be on their way into the buffer: it is never used again then.
  await hold.disk.read(chunk.subarray(format.dataPrefix), offset);
  format.putDataPrefix(chunk, 0, request, offset, length, last);
  return chunk;
}
