import { EXTENDED_REQUEST_MAGIC, REQUEST_MAGIC } from './numbers.ts';

/** A command as a client sends it (section "Request message"). Numbers as they come: nothing has been checked. */
export interface Request {
  flags: number;
  command: number;
  /** The cookie's halves: it is given back as it came. */
  cookieHigh: number;
  cookieLow: number;
  /** Bytes. Exact up to 2^53, which is more than any disk has; past it, rounded. */
  offset: number;
  /** Bytes. */
  length: number;
}

/** A command as it came, with its offset to the bit: an extended reply gives it back, however wrong it was. */
export interface ReceivedRequest extends Request {
  offsetHigh: number;
  offsetLow: number;
}

/** What `decodeRequest` reads into. */
export function emptyRequest(): ReceivedRequest {
  const numbers = { offset: 0, offsetHigh: 0, offsetLow: 0, length: 0 };
  return { flags: 0, command: 0, cookieHigh: 0, cookieLow: 0, ...numbers };
}

/** Bytes of a request, without the data of a write. */
export const REQUEST_LENGTH = 28;
export const EXTENDED_REQUEST_LENGTH = 32;

const HIGH = 2 ** 32;

/** Reads a request into `request`. Returns false when the magic number is another. */
export function decodeRequest(
  bytes: Buffer,
  at: number,
  extended: boolean,
  request: ReceivedRequest,
): boolean {
  if (bytes.readUInt32BE(at) !== (extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)) return false;
  request.flags = bytes.readUInt16BE(at + 4);
  request.command = bytes.readUInt16BE(at + 6);
  request.cookieHigh = bytes.readUInt32BE(at + 8);
  request.cookieLow = bytes.readUInt32BE(at + 12);
  request.offsetHigh = bytes.readUInt32BE(at + 16);
  request.offsetLow = bytes.readUInt32BE(at + 20);
  request.offset = readNumber64(bytes, at + 16);
  request.length = extended ? readNumber64(bytes, at + 24) : bytes.readUInt32BE(at + 24);
  return true;
}

/** Writes a request's bytes. */
export function encodeRequest(request: Request, extended: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(extended ? EXTENDED_REQUEST_LENGTH : REQUEST_LENGTH);
  bytes.writeUInt32BE(extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC, 0);
  bytes.writeUInt16BE(request.flags, 4);
  bytes.writeUInt16BE(request.command, 6);
  bytes.writeUInt32BE(request.cookieHigh, 8);
  bytes.writeUInt32BE(request.cookieLow, 12);
  writeNumber64(bytes, request.offset, 16);
  if (extended) writeNumber64(bytes, request.length, 24);
  else bytes.writeUInt32BE(request.length, 24);
  return bytes;
}

/** Writes a whole number below 2^53 as 8 bytes. */
export function writeNumber64(into: Buffer, value: number, at: number): void {
  into.writeUInt32BE(Math.floor(value / HIGH), at);
  into.writeUInt32BE(value % HIGH, at + 4);
}

/** Reads 8 bytes as a number: exact below 2^53, and never below 2^53 when they are not. */
export function readNumber64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * HIGH + bytes.readUInt32BE(at + 4);
}
