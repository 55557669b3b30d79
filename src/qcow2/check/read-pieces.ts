import type { ImageFile } from '../image-file.ts';
import { isTimeForOthers, letOthersRun } from './take-turns.ts';

/** A piece of a longer structure. Valid until the next is asked for. */
export interface Piece {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const PIECE = 64 * 1024;

/** A buffer for who reads many ranges, one after the other. */
export function pieceBuffer(): Uint8Array {
  return new Uint8Array(PIECE);
}

/**
 * Reads a range in pieces of at most 64 KiB. Past the end of the file there are zeros.
 * @param buffer to read into (default one of its own)
 */
export async function* readPieces(
  file: ImageFile,
  offset: number,
  length: number,
  buffer: Uint8Array = new Uint8Array(Math.min(length, PIECE)),
): AsyncGenerator<Piece> {
  for (let done = 0; done < length; done += buffer.length) {
    const bytes = buffer.subarray(0, Math.min(buffer.length, length - done));
    if (isTimeForOthers()) await letOthersRun();
    if (!file.tryRead(bytes, offset + done)) await file.read(bytes, offset + done);
    yield { offset: offset + done, bytes };
  }
}

/** The bytes of a small range. Past the end of the file there are zeros. */
export async function readBytes(file: ImageFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  if (!file.tryRead(bytes, offset)) await file.read(bytes, offset);
  return bytes;
}
