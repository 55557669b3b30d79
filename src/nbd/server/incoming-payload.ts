import type { ReceivedRequest } from '../protocol/request.ts';
import { takeBuffer } from './buffer-pool.ts';
import type { CommandFailure } from './command-failure.ts';

/**
 * Is given each piece that is complete, and how far from the payload's start it lies.
 * @param isOwn the piece has a buffer of its own; else it is a part of what came
 */
export type UsePiece = (piece: Buffer, distance: number, isOwn: boolean) => void;

/**
 * What follows a request, while it is still coming: the data of a write, or a payload that is thrown away since the request
 * is refused. It is used in pieces, as they come: what a client has in memory here is bounded.
 */
export class IncomingPayload {
  readonly request: ReceivedRequest;
  /** Set when the request failed or is refused: what is still to come is then thrown away. */
  failure: CommandFailure | undefined;
  /** Pieces that are being written. */
  pending = 0;
  /** The rest will not come: the connection ends. */
  isCutOff = false;
  readonly #length: number;
  readonly #pieceLength: number;
  #received = 0;
  #piece: Buffer | undefined;
  #used = 0;

  /**
   * @param length of the payload
   * @param pieceLength the most that is given on in one piece
   */
  constructor(
    request: ReceivedRequest,
    length: number,
    pieceLength: number,
    refusal: CommandFailure | undefined,
  ) {
    this.request = request;
    this.failure = refusal;
    this.#length = length;
    this.#pieceLength = pieceLength;
  }

  get isWhole(): boolean {
    return this.#received === this.#length;
  }

  /**
   * Takes what belongs to the payload from `chunk`, which it may keep.
   * @returns where in `chunk` what follows begins
   */
  take(chunk: Buffer, from: number, use: UsePiece): number {
    const end = Math.min(chunk.length, from + this.#length - this.#received);
    let at = from;
    while (at < end) at = this.#takePiece(chunk, at, end, use);
    return end;
  }

  /**
   * Takes more of the payload straight from the socket, without what lies behind it.
   * @param receive fills what it is given, and returns how many bytes that was
   * @returns that number
   */
  receive(receive: (into: Buffer) => number, use: UsePiece): number {
    this.#piece ??= takeBuffer(Math.min(this.#pieceLength, this.#length - this.#received));
    const count = receive(this.#piece.subarray(this.#used));
    this.#advance(this.#piece, count, use);
    return count;
  }

  #takePiece(chunk: Buffer, at: number, end: number, use: UsePiece): number {
    const left = this.#length - this.#received;
    if (this.failure) {
      this.#piece = undefined;
      this.#used = 0;
      this.#received += end - at;
      return end;
    }
    if (this.#piece === undefined && end - at === left && left <= this.#pieceLength) {
      this.#received += left;
      use(chunk.subarray(at, end), this.#length - left, false);
      return end;
    }
    this.#piece ??= takeBuffer(Math.min(this.#pieceLength, left));
    const count = chunk.copy(this.#piece, this.#used, at, end);
    this.#advance(this.#piece, count, use);
    return at + count;
  }

  #advance(piece: Buffer, count: number, use: UsePiece): void {
    const distance = this.#received - this.#used;
    this.#used += count;
    this.#received += count;
    if (this.#used < piece.length) return;
    this.#piece = undefined;
    this.#used = 0;
    use(piece, distance, true);
  }
}
