import { EXTENDED_REPLY_MAGIC, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC } from './numbers.ts';
import { REPLY_LENGTH, type ReplyMode } from './reply-format.ts';
import { readNumber64 } from './request.ts';

/** What a reply, or a chunk of one, begins with. Numbers as they come: nothing has been checked. */
export interface Reply {
  /** Whether it is a simple one: it has an `errno`; the others have `flags`, `type` and `length`. */
  isSimple: boolean;
  errno: number;
  flags: number;
  type: number;
  cookieHigh: number;
  cookieLow: number;
  /** Bytes of payload that follow. */
  length: number;
  /** Of the request; only extended replies repeat it. */
  offset: number | undefined;
}

/**
 * How long the head of a reply is, told by its first four bytes. Where structured replies were agreed on, a reply without
 * data may still be a simple one.
 * @returns undefined when no reply of this mode begins so
 */
export function replyLength(bytes: Buffer, at: number, mode: ReplyMode): number | undefined {
  const magic = bytes.readUInt32BE(at);
  if (mode === 'extended') return magic === EXTENDED_REPLY_MAGIC ? REPLY_LENGTH.extended : undefined;
  if (magic === SIMPLE_REPLY_MAGIC) return REPLY_LENGTH.simple;
  return mode === 'structured' && magic === STRUCTURED_REPLY_MAGIC ? REPLY_LENGTH.structured : undefined;
}

/** Reads the head of a reply into `reply`; `length` is what `replyLength` said. */
export function decodeReply(bytes: Buffer, at: number, length: number, reply: Reply): void {
  const isSimple = length === REPLY_LENGTH.simple;
  const isExtended = length === REPLY_LENGTH.extended;
  reply.isSimple = isSimple;
  reply.errno = isSimple ? bytes.readUInt32BE(at + 4) : 0;
  reply.flags = isSimple ? 0 : bytes.readUInt16BE(at + 4);
  reply.type = isSimple ? 0 : bytes.readUInt16BE(at + 6);
  reply.cookieHigh = bytes.readUInt32BE(at + 8);
  reply.cookieLow = bytes.readUInt32BE(at + 12);
  reply.offset = isExtended ? readNumber64(bytes, at + 16) : undefined;
  if (isSimple) reply.length = 0;
  else reply.length = isExtended ? readNumber64(bytes, at + 24) : bytes.readUInt32BE(at + 16);
}
