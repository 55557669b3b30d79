import { CalveError } from '../../errors/index.ts';
import { Chunk, LONGEST_STRING, REPLY_FLAG_DONE } from '../protocol/numbers.ts';
import { decodeReply, type Reply, replyLength } from '../protocol/reply.ts';
import { REPLY_LENGTH, type ReplyMode } from '../protocol/reply-format.ts';
import { readNumber64 } from '../protocol/request.ts';
import type { PendingRequest } from './pending-request.ts';
import type { Receiver } from './receiver.ts';
import { decodeStatusChunk, LONGEST_STATUS } from './status-chunk.ts';

/** Whose replies are read. */
export interface ReplyScene {
  /** For messages: the address. */
  readonly where: string;
  readonly mode: ReplyMode;
  /** Contexts that were agreed on, by their numbers. */
  readonly contexts: ReadonlySet<number>;
  /** The request with this cookie; undefined when there is none. */
  find(cookieHigh: number, cookieLow: number): PendingRequest | undefined;
  /** A request failed, as a server says. */
  fail(pending: PendingRequest, errno: number, message: string): void;
  /** All of a reply has come. */
  done(pending: PendingRequest): void;
}

/** Bytes that are read at a time when it is not known what they are. */
const AREA = 64 * 1024;
/** Data of which so much is still to come go straight where they belong. */
const STRAIGHT = 32 * 1024;
/** The longest payload of an error: its text, and what a later version may add. */
const LONGEST_ERROR = LONGEST_STRING + 256;

/**
 * Reads the replies of a connection, checks each against the request that it answers, and puts the data of reads where
 * they belong: nothing that a server sends makes this side write elsewhere, or keep more than was asked for.
 */
export class ReplyReader implements Receiver {
  readonly #scene: ReplyScene;
  readonly #area = Buffer.allocUnsafeSlow(AREA);
  readonly #reply: Reply = {
    isSimple: false,
    errno: 0,
    flags: 0,
    type: 0,
    cookieHigh: 0,
    cookieLow: 0,
    length: 0,
    offset: undefined,
  };
  /** A head or a payload that came in pieces. */
  #partial: Buffer = Buffer.alloc(REPLY_LENGTH.extended);
  #partialLength = 0;
  #pending: PendingRequest | undefined;
  /** Bytes of the payload in hand that are read as a whole; 0 while a head is awaited. */
  #payload = 0;
  /** Where the data that are coming go, and how many are still to come. */
  #into: Buffer | undefined;
  #left = 0;
  /** What `space` gave last, where it is of the buffer that data belong to. */
  #straight: Buffer | undefined;

  constructor(scene: ReplyScene) {
    this.#scene = scene;
  }

  space(): Uint8Array {
    const isStraight = this.#into !== undefined && this.#left >= STRAIGHT;
    this.#straight = isStraight ? this.#into?.subarray(-this.#left) : undefined;
    return this.#straight ?? this.#area;
  }

  received(count: number, buffer: Uint8Array): void {
    if (buffer === this.#straight) {
      this.#arrived(count);
      return;
    }
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, count);
    for (let at = 0; at < count; ) {
      if (this.#into !== undefined) at = this.#takeData(bytes, at, this.#into);
      else if (this.#payload > 0) at = this.#takePayload(bytes, at);
      else at = this.#takeHead(bytes, at);
    }
  }

  #takeData(bytes: Buffer, at: number, into: Buffer): number {
    const count = bytes.copy(into, into.length - this.#left, at, Math.min(bytes.length, at + this.#left));
    this.#arrived(count);
    return at + count;
  }

  #arrived(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    this.#into = undefined;
    this.#endPart();
  }

  #takeHead(bytes: Buffer, at: number): number {
    const { mode } = this.#scene;
    if (this.#partialLength === 0 && bytes.length - at >= 4) {
      const length = this.#headLength(bytes, at);
      if (bytes.length - at >= length) {
        decodeReply(bytes, at, length, this.#reply);
        this.#begin();
        return at + length;
      }
    }
    // Byte by byte up to the magic number, which says how much belongs to the head.
    const wanted = this.#partialLength < 4 ? 4 : (replyLength(this.#partial, 0, mode) ?? 4);
    const next = this.#gather(bytes, at, wanted);
    if (this.#partialLength < 4) return next;
    const length = this.#headLength(this.#partial, 0);
    if (this.#partialLength < length) return next;
    this.#partialLength = 0;
    decodeReply(this.#partial, 0, length, this.#reply);
    this.#begin();
    return next;
  }

  #headLength(bytes: Buffer, at: number): number {
    const length = replyLength(bytes, at, this.#scene.mode);
    if (length !== undefined) return length;
    throw this.#nonsense(`no ${this.#scene.mode} reply begins with 0x${bytes.readUInt32BE(at).toString(16)}`);
  }

  /** Collects bytes until there are `wanted`. */
  #gather(bytes: Buffer, at: number, wanted: number): number {
    const end = Math.min(bytes.length, at + wanted - this.#partialLength);
    this.#partialLength += bytes.copy(this.#partial, this.#partialLength, at, end);
    return end;
  }

  #takePayload(bytes: Buffer, at: number): number {
    if (this.#partial.length < this.#payload) {
      const larger = Buffer.allocUnsafeSlow(this.#payload);
      this.#partial.copy(larger, 0, 0, this.#partialLength);
      this.#partial = larger;
    }
    const next = this.#gather(bytes, at, this.#payload);
    if (this.#partialLength < this.#payload) return next;
    const payload = this.#partial.subarray(0, this.#payload);
    this.#partialLength = 0;
    this.#payload = 0;
    this.#takeWhole(payload);
    if (this.#partial.length > AREA) this.#partial = Buffer.alloc(REPLY_LENGTH.extended);
    return next;
  }

  /** A head is there: finds its request, and what is to follow. */
  #begin(): void {
    const reply = this.#reply;
    const pending = this.#scene.find(reply.cookieHigh, reply.cookieLow);
    if (!pending) throw this.#nonsense('a reply to a request that was not made');
    if (reply.offset !== undefined && reply.offset !== pending.command.offset) {
      throw this.#nonsense(
        `a reply about offset ${reply.offset} to a request about ${pending.command.offset}`,
      );
    }
    this.#pending = pending;
    if (reply.isSimple) {
      this.#beginSimple(pending);
      return;
    }
    this.#payload = this.#payloadLength(pending);
    if (this.#payload === 0) this.#endPart();
  }

  #beginSimple(pending: PendingRequest): void {
    const { errno } = this.#reply;
    const { into, offset, length } = pending.command;
    if (errno !== 0) {
      this.#scene.fail(pending, errno, '');
    } else if (into !== undefined) {
      if (this.#scene.mode !== 'simple') throw this.#nonsense('a simple reply to a read');
      pending.coverage.add(offset, offset + length);
      this.#expectData(into);
      return;
    }
    this.#endPart();
  }

  /** How much of the payload is to be read as a whole: all of it, but for the data of a read. */
  #payloadLength(pending: PendingRequest): number {
    const { type, length } = this.#reply;
    const isStatus = type === Chunk.blockStatus || type === Chunk.blockStatusExtended;
    const isFitting =
      (type === Chunk.none && length === 0 && this.#isLast) ||
      (type === Chunk.offsetData && length > 8 && pending.isRead) ||
      (type === Chunk.offsetHole && length === 12 && pending.isRead) ||
      (isStatus && length <= LONGEST_STATUS && pending.isStatus) ||
      (isError(type) && length >= 6 && length <= LONGEST_ERROR);
    if (!isFitting) throw this.#nonsense(`a chunk of type ${type} and ${length} bytes that does not fit`);
    return type === Chunk.offsetData ? 8 : length;
  }

  #takeWhole(payload: Buffer): void {
    const pending = this.#pending as PendingRequest;
    const { type, length } = this.#reply;
    if (type === Chunk.offsetData) {
      this.#expectData(this.#part(pending, readNumber64(payload, 0), length - 8));
      return;
    }
    if (type === Chunk.offsetHole) {
      this.#part(pending, readNumber64(payload, 0), payload.readUInt32BE(8)).fill(0);
    } else if (isError(type)) {
      this.#takeError(pending, payload);
    } else {
      this.#takeStatus(pending, payload);
    }
    this.#endPart();
  }

  /** The part of the caller's buffer that a chunk is about. */
  #part(pending: PendingRequest, offset: number, length: number): Buffer {
    const { offset: start, length: whole, into } = pending.command;
    const from = offset - start;
    if (into === undefined || length === 0 || from < 0 || from > whole - length) {
      throw this.#nonsense(`${length} bytes at ${offset} for a read of ${whole} bytes at ${start}`);
    }
    if (!pending.coverage.add(offset, offset + length)) {
      throw this.#nonsense(`bytes at ${offset} twice in one reply`);
    }
    return into.subarray(from, from + length);
  }

  #expectData(into: Buffer): void {
    this.#into = into;
    this.#left = into.length;
  }

  #takeError(pending: PendingRequest, payload: Buffer): void {
    const errno = payload.readUInt32BE(0);
    const length = payload.readUInt16BE(4);
    const fixed = this.#reply.type === Chunk.errorOffset ? 14 : 6;
    if (errno === 0) throw this.#nonsense('an error that is none');
    if (payload.length < fixed + length) throw this.#nonsense('an error shorter than its message');
    if (fixed === 14) {
      const offset = readNumber64(payload, 6 + length);
      const { offset: start, length: whole } = pending.command;
      if (offset < start || offset > start + whole) throw this.#nonsense(`an error at ${offset}, outside`);
    }
    this.#scene.fail(pending, errno, payload.toString('utf8', 6, 6 + length));
  }

  #takeStatus(pending: PendingRequest, payload: Buffer): void {
    const isExtended = this.#scene.mode === 'extended';
    const expected = isExtended ? Chunk.blockStatusExtended : Chunk.blockStatus;
    const found = this.#reply.type === expected ? decodeStatusChunk(payload, isExtended) : undefined;
    if (!found || !this.#scene.contexts.has(found.id) || pending.status.has(found.id)) {
      throw this.#nonsense('a block status that does not fit');
    }
    pending.status.set(found.id, found.extents);
  }

  get #isLast(): boolean {
    return this.#reply.isSimple || (this.#reply.flags & REPLY_FLAG_DONE) !== 0;
  }

  /** A simple reply or a chunk is complete. */
  #endPart(): void {
    const pending = this.#pending as PendingRequest;
    this.#pending = undefined;
    if (!this.#isLast) return;
    const missing = pending.missing(this.#scene.contexts);
    if (missing !== undefined) throw this.#nonsense(`a reply that ends without ${missing}`);
    this.#scene.done(pending);
  }

  #nonsense(what: string): CalveError {
    return new CalveError('invalid', `${this.#scene.where}: the server breaks the protocol: ${what}`);
  }
}

function isError(type: number): boolean {
  return (type & 0x8000) !== 0;
}
