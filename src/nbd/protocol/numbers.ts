/**
 * Every number of the NBD protocol that calve speaks, once. Source: the protocol's specification, doc/proto.md of
 * NetworkBlockDevice/nbd, sections "Values" and "Handshake"; the numbers of extended headers are from its branch
 * extension-ext-header.
 */

/** Magic numbers of the handshake, 8 bytes each. */
export const MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x3e889045565a9n;

/** Magic numbers of the transmission, 4 bytes each. */
export const REQUEST_MAGIC = 0x25609513;
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;

/** Flags that the server offers at the start. */
export const HandshakeFlag = { fixedNewstyle: 0x1, noZeroes: 0x2 } as const;

/** What the client says to them. */
export const ClientFlag = { fixedNewstyle: 0x1, noZeroes: 0x2 } as const;

/** What an export can do. */
export const TransmissionFlag = {
  hasFlags: 0x1,
  readOnly: 0x2,
  sendFlush: 0x4,
  sendFua: 0x8,
  sendTrim: 0x20,
  sendWriteZeroes: 0x40,
  sendDf: 0x80,
  canMultiConn: 0x100,
  sendCache: 0x400,
  sendFastZero: 0x800,
  blockStatusPayload: 0x1000,
} as const;

export const Option = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
  extendedHeaders: 11,
} as const;

/** Kinds of replies to an option; errors have bit 31. */
export const OptionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errorUnsupported: 0x8000_0001,
  errorPolicy: 0x8000_0002,
  errorInvalid: 0x8000_0003,
  errorPlatform: 0x8000_0004,
  errorTlsRequired: 0x8000_0005,
  errorUnknown: 0x8000_0006,
  errorShutdown: 0x8000_0007,
  errorBlockSizeRequired: 0x8000_0008,
  errorTooBig: 0x8000_0009,
  errorExtendedHeadersRequired: 0x8000_000a,
} as const;

/** What INFO and GO tell. */
export const Info = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

export const Command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const CommandFlag = {
  fua: 0x1,
  noHole: 0x2,
  dontFragment: 0x4,
  requestOne: 0x8,
  fastZero: 0x10,
  payloadLength: 0x20,
} as const;

/** Of a chunk of a structured reply: no chunk of this reply follows. */
export const REPLY_FLAG_DONE = 0x1;

/** Kinds of chunks; errors have bit 15. */
export const Chunk = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  blockStatusExtended: 6,
  error: 0x8001,
  errorOffset: 0x8002,
} as const;

/** Of an extent in the context `base:allocation`. */
export const AllocationFlag = { hole: 0x1, zero: 0x2 } as const;

/** Why a command failed. */
export const Errno = {
  permission: 1,
  io: 5,
  memory: 12,
  invalid: 22,
  noSpace: 28,
  overflow: 75,
  notSupported: 95,
  shutdown: 108,
} as const;

/** Bytes of the longest string (section "Conventions"). */
export const LONGEST_STRING = 4096;

/** The longest payload that every server takes, bytes (section "Size constraints"). */
export const MAXIMUM_PAYLOAD = 0x2000000;

/** The port that IANA gave to NBD. */
export const PORT = 10809;
