import {
  Chunk,
  EXTENDED_REPLY_MAGIC,
  REPLY_FLAG_DONE,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from './numbers.ts';
import { EXTENDED_REQUEST_LENGTH, REQUEST_LENGTH, type ReceivedRequest, writeNumber64 } from './request.ts';

/** How replies look, as client and server agreed. */
export type ReplyMode = 'simple' | 'structured' | 'extended';

/** Bytes of what a reply of each mode begins with (sections "Simple reply message", "Structured reply chunk message"). */
export const REPLY_LENGTH: Readonly<Record<ReplyMode, number>> = { simple: 16, structured: 20, extended: 32 };

/** Writes the replies of one mode. */
export class ReplyFormat {
  readonly mode: ReplyMode;
  /** Bytes of a request's header. */
  readonly requestLength: number;
  /** Bytes of a reply that says of a command no more than that it is done. */
  readonly doneLength: number;
  /** Bytes that go ahead of the data of a read. */
  readonly dataPrefix: number;

  constructor(mode: ReplyMode) {
    this.mode = mode;
    this.requestLength = mode === 'extended' ? EXTENDED_REQUEST_LENGTH : REQUEST_LENGTH;
    this.doneLength = REPLY_LENGTH[mode];
    this.dataPrefix = mode === 'simple' ? REPLY_LENGTH.simple : REPLY_LENGTH[mode] + 8;
  }

  /** That a command is done. */
  putDone(into: Buffer, at: number, request: ReceivedRequest): void {
    if (this.mode === 'simple') putSimple(into, at, request, 0);
    else this.putChunk(into, at, request, Chunk.none, true, 0);
  }

  /**
   * What goes ahead of the data of a read. A simple reply has no parts.
   * @param offset of the data on the disk
   * @param last no other chunk follows
   */
  putDataPrefix(
    into: Buffer,
    at: number,
    request: ReceivedRequest,
    offset: number,
    length: number,
    last: boolean,
  ): void {
    if (this.mode === 'simple') {
      putSimple(into, at, request, 0);
    } else {
      this.putChunk(into, at, request, Chunk.offsetData, last, 8 + length);
      writeNumber64(into, offset, at + REPLY_LENGTH[this.mode]);
    }
  }

  /** That a command failed. In a simple reply there is no room for the message. */
  error(request: ReceivedRequest, errno: number, message: string): Buffer {
    if (this.mode === 'simple') {
      const reply = Buffer.allocUnsafe(REPLY_LENGTH.simple);
      putSimple(reply, 0, request, errno);
      return reply;
    }
    const text = Buffer.from(message);
    const { bytes, at } = this.chunk(request, Chunk.error, true, 6 + text.length);
    bytes.writeUInt32BE(errno, at);
    bytes.writeUInt16BE(text.length, at + 4);
    text.copy(bytes, at + 6);
    return bytes;
  }

  /** A chunk whose payload is to be written at `at`. */
  chunk(
    request: ReceivedRequest,
    type: number,
    last: boolean,
    length: number,
  ): { bytes: Buffer; at: number } {
    const at = REPLY_LENGTH[this.mode];
    const bytes = Buffer.allocUnsafe(at + length);
    this.putChunk(bytes, 0, request, type, last, length);
    return { bytes, at };
  }

  private putChunk(
    into: Buffer,
    at: number,
    request: ReceivedRequest,
    type: number,
    last: boolean,
    length: number,
  ): void {
    const extended = this.mode === 'extended';
    into.writeUInt32BE(extended ? EXTENDED_REPLY_MAGIC : STRUCTURED_REPLY_MAGIC, at);
    into.writeUInt16BE(last ? REPLY_FLAG_DONE : 0, at + 4);
    into.writeUInt16BE(type, at + 6);
    into.writeUInt32BE(request.cookieHigh, at + 8);
    into.writeUInt32BE(request.cookieLow, at + 12);
    if (extended) {
      into.writeUInt32BE(request.offsetHigh, at + 16);
      into.writeUInt32BE(request.offsetLow, at + 20);
      writeNumber64(into, length, at + 24);
    } else {
      into.writeUInt32BE(length, at + 16);
    }
  }
}

function putSimple(into: Buffer, at: number, request: ReceivedRequest, errno: number): void {
  into.writeUInt32BE(SIMPLE_REPLY_MAGIC, at);
  into.writeUInt32BE(errno, at + 4);
  into.writeUInt32BE(request.cookieHigh, at + 8);
  into.writeUInt32BE(request.cookieLow, at + 12);
}
