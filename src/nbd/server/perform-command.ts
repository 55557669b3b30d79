import { writeZeroesTo } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { Command, CommandFlag, Errno } from '../protocol/numbers.ts';
import type { ReceivedRequest } from '../protocol/request.ts';
import { blockStatusChunks } from './block-status.ts';
import { giveBuffer, takeBuffer } from './buffer-pool.ts';
import type { CommandScene } from './command-scene.ts';
import type { Hold } from './open-exports.ts';
import { sendRead } from './send-read.ts';

/** The most that a cache command reads ahead, bytes. */
const MOST_CACHED = 64 << 20;

/**
 * Does a command that was checked, and puts its reply into the batch; a write has its own way.
 * @throws CalveError what the disk throws: then nothing was put there
 */
export async function performCommand(request: ReceivedRequest, scene: CommandScene): Promise<void> {
  const { format, hold, contexts, batch } = scene;
  const { command, flags, offset, length } = request;
  if (command === Command.read && length > 0) return sendRead(request, scene);
  if (command === Command.blockStatus) {
    for (const chunk of await blockStatusChunks(format, request, hold.disk, contexts)) batch.add(chunk);
    return;
  }
  if (command === Command.writeZeroes && (flags & CommandFlag.fastZero) !== 0 && !isFast(request, hold)) {
    batch.add(format.error(request, Errno.notSupported, 'no faster than a write'));
    return;
  }
  const { writable } = hold;
  if (command === Command.flush) await writable?.flush();
  else if (command === Command.cache) await readAhead(scene, offset, length);
  else if (writable !== undefined && length > 0) {
    if (command === Command.trim) await writable.discard?.(offset, length);
    else if (command === Command.writeZeroes) {
      await writeZeroesTo(writable, offset, length, { unmap: (flags & CommandFlag.noHole) === 0 });
    }
    if ((flags & CommandFlag.fua) !== 0) await writable.flush();
  }
  const at = batch.place(format.doneLength);
  format.putDone(batch.buffer, at, request);
}

/** Whether zeros cost no more than a change of tables; where they are to be provisioned, that is not known. */
function isFast({ flags }: ReceivedRequest, { export: { fastZeroes = false } }: Hold): boolean {
  return fastZeroes && (flags & CommandFlag.noHole) === 0;
}

/** Reads what will be wanted, so that it is at hand. A failure shows again to who wants it. */
async function readAhead(scene: CommandScene, offset: number, length: number): Promise<void> {
  const piece = takeBuffer(Math.min(scene.piece, length));
  const end = offset + Math.min(length, MOST_CACHED);
  try {
    for (let at = offset; at < end && !scene.batch.isGone; at += piece.length) {
      await scene.hold.disk.read(piece.subarray(0, Math.min(piece.length, end - at)), at);
    }
    giveBuffer(piece);
  } catch (error) {
    if (!CalveError.is(error)) throw error;
  }
}
