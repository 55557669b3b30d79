// A client that knows nothing but the specification (doc/proto.md of NetworkBlockDevice/nbd, and its branch
// extension-ext-header for extended headers): it sends what it is told to, right or wrong, and takes replies apart byte by byte.
// It shares nothing with src/nbd, so that a mistake there is not made here again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type Mode = 'simple' | 'structured' | 'extended';

export const OPT = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  PEEK_EXPORT: 4,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

export const REP = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 0x80000001,
  ERR_POLICY: 0x80000002,
  ERR_INVALID: 0x80000003,
  ERR_PLATFORM: 0x80000004,
  ERR_TLS_REQD: 0x80000005,
  ERR_UNKNOWN: 0x80000006,
  ERR_SHUTDOWN: 0x80000007,
  ERR_BLOCK_SIZE_REQD: 0x80000008,
  ERR_TOO_BIG: 0x80000009,
  ERR_EXT_HEADER_REQD: 0x8000000a,
} as const;

export const CMD = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
  RESIZE: 8,
} as const;

export const FLAG = {
  FUA: 1,
  NO_HOLE: 2,
  DF: 4,
  REQ_ONE: 8,
  FAST_ZERO: 16,
  PAYLOAD_LEN: 32,
} as const;

export const ERR = {
  EPERM: 1,
  EIO: 5,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
} as const;

/** Of a structured or extended reply. */
export interface Chunk {
  readonly done: boolean;
  readonly type: number;
  readonly payload: Buffer;
  /** Of an extended reply: what the request's was. */
  readonly offset: bigint | undefined;
}

/** A whole reply to a command. */
export interface Reply {
  readonly cookie: bigint;
  /** 0, or the first error. */
  readonly error: number;
  readonly message: string;
  /** Of a read: the content, from the request's offset on. */
  readonly data: Buffer;
  /** Of a block status: descriptors of each context. */
  readonly status: ReadonlyMap<number, readonly (readonly [length: bigint, flags: bigint])[]>;
  readonly chunks: readonly Chunk[];
}

export interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

export interface Command {
  readonly command: number;
  readonly flags?: number;
  readonly offset?: bigint | number;
  readonly length?: bigint | number;
  readonly payload?: Uint8Array;
  readonly cookie?: bigint;
}

/** What `Wire.go` goes to. */
export interface GoOptions {
  readonly name?: string;
  readonly contexts?: readonly string[];
}

const PATIENCE_MS = 120_000;

export const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const u64 = (value: bigint | number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
export const text = (value: string): Buffer =>
  Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);

/** The data of INFO and GO. */
export const infoData = (name: string, ...wanted: number[]): Buffer =>
  Buffer.concat([text(name), u16(wanted.length), ...wanted.map(u16)]);

/** The data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export const contextData = (name: string, ...queries: string[]): Buffer =>
  Buffer.concat([text(name), u32(queries.length), ...queries.map(text)]);

export class Wire implements AsyncDisposable {
  mode: Mode = 'simple';
  readonly socket: Socket;
  #received: Buffer[] = [];
  #length = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  #cookie = 0x1122334455667788n;
  /** Of commands that are under way: where a read or a status begins, and its length. */
  readonly #asked = new Map<bigint, Command>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket
      .on('end', end)
      .on('close', end)
      .on('error', () => {});
  }

  /** Connects, and reads the server's greeting. */
  static async open(path: string, clientFlags: number | null = 3): Promise<Wire> {
    const socket = connect({ path, allowHalfOpen: true });
    await once(socket, 'connect');
    const wire = new Wire(socket);
    const greeting = await wire.read(18);
    assert.equal(greeting.subarray(0, 16).toString('latin1'), 'NBDMAGICIHAVEOPT');
    assert.equal(greeting.readUInt16BE(16), 3, 'FIXED_NEWSTYLE and NO_ZEROES');
    if (clientFlags !== null) wire.send(u32(clientFlags));
    return wire;
  }

  /** Connects, agrees on a mode and on contexts, and begins the transmission. */
  static async go(path: string, mode: Mode, options: GoOptions = {}): Promise<Wire> {
    const { name = '', contexts = [] } = options;
    const wire = await Wire.open(path);
    await wire.agree(mode);
    if (contexts.length > 0) {
      const chosen = await wire.option(OPT.SET_META_CONTEXT, contextData(name, ...contexts));
      assert.equal(chosen.length, contexts.length + 1);
    }
    assert.equal((await wire.option(OPT.GO, infoData(name))).at(-1)?.type, REP.ACK);
    return wire;
  }

  async agree(mode: Mode): Promise<void> {
    this.mode = mode;
    if (mode === 'simple') return;
    const option = mode === 'structured' ? OPT.STRUCTURED_REPLY : OPT.EXTENDED_HEADERS;
    assert.deepEqual(await this.option(option), [{ type: REP.ACK, data: Buffer.alloc(0) }]);
  }

  send(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** So many bytes; fails when they do not come. */
  async read(length: number): Promise<Buffer> {
    await this.#until(() => this.#length >= length, `${length} bytes`);
    const all = Buffer.concat(this.#received);
    this.#received = [all.subarray(length)];
    this.#length -= length;
    return all.subarray(0, length);
  }

  /** That the server ends the connection, and says no more. */
  async assertEnded(): Promise<void> {
    await this.#until(() => this.#ended, 'the end');
    assert.equal(this.#length, 0, `nothing more, not ${this.#received.map((each) => each.toString('hex'))}`);
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake?.();
    }, PATIENCE_MS);
    try {
      while (!isSo()) {
        assert.ok(!late, `no end of waiting for ${what}`);
        assert.ok(!this.#ended, `the connection ended; expected ${what}, got ${this.#length} bytes`);
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  sendOption(option: number, data: Uint8Array = Buffer.alloc(0), length: number = data.length): void {
    this.send(Buffer.from('IHAVEOPT'), u32(option), u32(length), data);
  }

  /** Sends an option; resolves to its replies up to the last one, which is ACK or an error. */
  async option(option: number, data?: Uint8Array): Promise<OptionReply[]> {
    this.sendOption(option, data);
    return this.optionReplies(option);
  }

  async optionReplies(option: number): Promise<OptionReply[]> {
    const replies: OptionReply[] = [];
    for (;;) {
      const header = await this.read(20);
      assert.equal(header.readBigUInt64BE(), 0x3e889045565a9n);
      assert.equal(header.readUInt32BE(8), option);
      const type = header.readUInt32BE(12);
      const data = await this.read(header.readUInt32BE(16));
      replies.push({ type, data });
      if (type === REP.ACK) assert.equal(data.length, 0, 'an ACK has no data');
      if (type === REP.ACK || type >= 0x80000000) return replies;
      assert.ok(type >= REP.SERVER && type <= REP.META_CONTEXT, `reply type ${type}`);
    }
  }

  /** A request as bytes, its payload included. */
  request(command: Command): Buffer {
    const { command: type, flags = 0, offset = 0, payload = Buffer.alloc(0) } = command;
    this.#cookie += 1n;
    const cookie = command.cookie ?? this.#cookie;
    const length = command.length ?? payload.length;
    this.#asked.set(cookie, command);
    const extended = this.mode === 'extended';
    const own = extended && type === CMD.WRITE ? FLAG.PAYLOAD_LEN : 0;
    return Buffer.concat([
      u32(extended ? 0x21e41c71 : 0x25609513),
      ...[u16(flags | own), u16(type), u64(cookie), u64(offset)],
      extended ? u64(length) : u32(Number(length)),
      payload,
    ]);
  }

  /** Sends a command; resolves to its reply. No other may be under way. */
  async command(command: Command): Promise<Reply> {
    this.send(this.request(command));
    return this.reply();
  }

  /** The reply that comes next, whole. Chunks of others must not come between. */
  async reply(): Promise<Reply> {
    if (this.mode !== 'simple') return this.#chunked();
    const header = await this.read(16);
    assert.equal(header.readUInt32BE(), 0x67446698);
    const error = header.readUInt32BE(4);
    const cookie = header.readBigUInt64BE(8);
    const asked = this.#take(cookie);
    const isData = asked.command === CMD.READ && error === 0;
    const data = await this.read(isData ? Number(asked.length ?? 0) : 0);
    return { cookie, error, message: '', data, status: new Map(), chunks: [] };
  }

  async chunk(): Promise<Chunk & { cookie: bigint }> {
    const extended = this.mode === 'extended';
    const header = await this.read(extended ? 32 : 20);
    assert.equal(header.readUInt32BE(), extended ? 0x6e8a278c : 0x668e33ef);
    const flags = header.readUInt16BE(4);
    assert.ok(flags <= 1, `reply flags ${flags}`);
    const length = extended ? Number(header.readBigUInt64BE(24)) : header.readUInt32BE(16);
    return {
      done: flags === 1,
      type: header.readUInt16BE(6),
      cookie: header.readBigUInt64BE(8),
      offset: extended ? header.readBigUInt64BE(16) : undefined,
      payload: await this.read(length),
    };
  }

  async #chunked(): Promise<Reply> {
    const chunks: (Chunk & { cookie: bigint })[] = [];
    do chunks.push(await this.chunk());
    while (chunks.at(-1)?.done === false);
    const cookie = chunks[0]?.cookie ?? 0n;
    const asked = this.#take(cookie);
    const offset = BigInt(asked.offset ?? 0);
    const status = new Map<number, (readonly [bigint, bigint])[]>();
    const data = Buffer.alloc(asked.command === CMD.READ ? this.#contentLength(chunks) : 0);
    let covered = 0;
    let error = 0;
    let message = '';
    for (const { type, payload, ...chunk } of chunks) {
      assert.equal(chunk.cookie, cookie);
      if (chunk.offset !== undefined)
        assert.equal(chunk.offset, offset, "an extended reply tells the request's offset");
      if (type === 0) {
        assert.deepEqual([chunk.done, payload.length], [true, 0]);
      } else if (type === 1) {
        const at = Number(payload.readBigUInt64BE() - offset);
        assert.ok(
          payload.length >= 9 && at === covered,
          'chunks of data, in order, without gaps or overlaps',
        );
        payload.copy(data, at, 8);
        covered += payload.length - 8;
      } else if (type === 5 || type === 6) {
        assert.equal(type === 6, this.mode === 'extended');
        const [id, descriptors] = type === 5 ? status32(payload) : status64(payload);
        assert.ok(!status.has(id), 'one chunk a context');
        status.set(id, descriptors);
      } else {
        assert.equal(type, 0x8001, `chunk type ${type}`);
        assert.equal(error, 0, 'one error chunk');
        error = payload.readUInt32BE();
        message = payload.subarray(6).toString();
        assert.equal(payload.readUInt16BE(4), payload.length - 6);
      }
    }
    if (asked.command === CMD.READ && error === 0) assert.equal(covered, Number(asked.length ?? 0));
    return { cookie, error, message, data, status, chunks };
  }

  #contentLength(chunks: readonly Chunk[]): number {
    return chunks.reduce((sum, { type, payload }) => (type === 1 ? sum + payload.length - 8 : sum), 0);
  }

  #take(cookie: bigint): Command {
    const asked = this.#asked.get(cookie) ?? assert.fail(`a reply with an unknown cookie ${cookie}`);
    this.#asked.delete(cookie);
    return asked;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}

type Status = [id: number, descriptors: (readonly [length: bigint, flags: bigint])[]];

function status32(payload: Buffer): Status {
  assert.ok(payload.length >= 12 && payload.length % 8 === 4, `${payload.length} bytes of block status`);
  const descriptors: (readonly [bigint, bigint])[] = [];
  for (let at = 4; at < payload.length; at += 8) {
    descriptors.push([BigInt(payload.readUInt32BE(at)), BigInt(payload.readUInt32BE(at + 4))]);
  }
  return [payload.readUInt32BE(), checked(descriptors)];
}

function status64(payload: Buffer): Status {
  assert.equal(payload.length, 8 + 16 * payload.readUInt32BE(4));
  const descriptors: (readonly [bigint, bigint])[] = [];
  for (let at = 8; at < payload.length; at += 16) {
    descriptors.push([payload.readBigUInt64BE(at), payload.readBigUInt64BE(at + 8)]);
  }
  return [payload.readUInt32BE(), checked(descriptors)];
}

function checked(descriptors: Status[1]): Status[1] {
  assert.ok(descriptors.length > 0);
  assert.ok(descriptors.every(([length]) => length > 0n));
  return descriptors;
}
