import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { CalveError } from '../../errors/index.ts';
import {
  ClientFlag,
  HandshakeFlag,
  Info,
  LONGEST_STRING,
  MAGIC,
  MAXIMUM_PAYLOAD,
  OPTION_MAGIC,
  Option,
  OptionReply,
} from '../protocol/numbers.ts';
import {
  blockSizeInfo,
  contextReply,
  contextRequest,
  descriptionInfo,
  exportInfo,
  infoRequest,
  nameInfo,
  optionHeader,
  optionReplyHeader,
  serverReply,
} from '../protocol/option-data.ts';
import { ReplyFormat, type ReplyMode } from '../protocol/reply-format.ts';
import type { ChosenContext } from './block-status.ts';
import type { ClientClock } from './client-clock.ts';
import { contextsAskedFor } from './contexts-asked-for.ts';
import { describeExport } from './describe-export.ts';
import type { NbdExport } from './nbd-export.ts';
import type { Hold, OpenExports } from './open-exports.ts';
import { SocketReader } from './socket-reader.ts';
import type { Agreement } from './transmission.ts';

/** What a negotiation goes by. */
export interface NegotiationScene {
  readonly exports: OpenExports;
  /** Encrypts the connection; where it is given, nothing else is answered before (FORCEDTLS). */
  readonly startTls?: ((socket: Duplex) => Promise<Duplex>) | undefined;
  /** Runs while the client is waited for. */
  readonly clock: ClientClock;
  /** Whether the server is shutting down. */
  readonly isEnding: () => boolean;
  /** Told of exports that cannot be had: the client hears no more than that. */
  readonly onFailure: (error: unknown) => void;
}

/** How a negotiation ended. */
export interface Negotiated {
  /** What the connection goes on with: another one since encryption began. */
  readonly socket: Duplex;
  /** Undefined when the client ended it. */
  readonly agreed: Agreement | undefined;
}

/** Data of an option that are looked at; the longest are names and queries. */
const MOST_OPTION_DATA = 64 * 1024;
/** Data of an option that are read to be thrown away; who sends more is no client. */
const MOST_SKIPPED = 32 << 20;
/** Options of a connection: a client needs a few, and a few for each metadata context. */
const MOST_OPTIONS = 1000;
/** What suits a disk of clusters best, and what every program can do. */
const PREFERRED_BLOCK = 4096;

/** How an option ended the negotiation; undefined goes on with the next one. */
type Outcome = Negotiated | undefined;

/** An export could not be listed, found or opened. */
class Unavailable extends Error {}

/**
 * The first phase of a connection (section "Newstyle negotiation").
 * @throws CalveError `invalid`, `denied` when the client breaks the protocol, `closed` when it goes
 */
export function negotiate(socket: Duplex, scene: NegotiationScene): Promise<Negotiated> {
  return new Negotiation(socket, scene).run();
}

class Negotiation {
  #socket: Duplex;
  #reader: SocketReader;
  readonly #scene: NegotiationScene;
  #encrypted = false;
  #noZeroes = false;
  #mode: ReplyMode = 'simple';
  /** The contexts that were chosen last, and of which export. */
  #chosen: { readonly name: string; readonly contexts: readonly ChosenContext[] } | undefined;

  constructor(socket: Duplex, scene: NegotiationScene) {
    this.#socket = socket;
    this.#reader = new SocketReader(socket);
    this.#scene = scene;
  }

  async run(): Promise<Negotiated> {
    const greeting = Buffer.alloc(18);
    greeting.writeBigUInt64BE(MAGIC, 0);
    greeting.writeBigUInt64BE(OPTION_MAGIC, 8);
    greeting.writeUInt16BE(HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes, 16);
    this.#socket.write(greeting);
    const flags = (await this.#reader.read(4)).readUInt32BE();
    if ((flags & ~(ClientFlag.fixedNewstyle | ClientFlag.noZeroes)) !== 0) {
      throw new CalveError('invalid', `client flags: 0x${flags.toString(16)}`);
    }
    if (this.#scene.startTls !== undefined && (flags & ClientFlag.fixedNewstyle) === 0) {
      throw new CalveError('denied', 'the client cannot speak TLS');
    }
    this.#noZeroes = (flags & ClientFlag.noZeroes) !== 0;
    for (let count = 0; count < MOST_OPTIONS; count++) {
      const outcome = await this.#option();
      if (outcome) return outcome;
      await drained(this.#socket);
      // Whoever sends many options at once has no more of a turn than others.
      await turn();
    }
    throw new CalveError('invalid', `more than ${MOST_OPTIONS} options`);
  }

  async #option(): Promise<Outcome> {
    const header = await this.#reader.read(16);
    if (header.readBigUInt64BE() !== OPTION_MAGIC) throw new CalveError('invalid', 'no option');
    const { option, length } = optionHeader.decode(header);
    if (length > MOST_SKIPPED) throw new CalveError('invalid', `an option of ${length} bytes`);
    if (option === Option.setMetaContext) this.#chosen = undefined;
    if (length > MOST_OPTION_DATA) {
      await this.#reader.skip(length);
      if (option === Option.abort) return this.#abort();
      if (option === Option.exportName) throw new CalveError('invalid', 'a name too long');
      return this.#refuse(option, OptionReply.errorTooBig, 'too long');
    }
    const data = await this.#reader.read(length);
    if (option === Option.abort) return this.#abort();
    if (this.#scene.startTls !== undefined && !this.#encrypted && option !== Option.startTls) {
      if (option === Option.exportName) throw new CalveError('denied', 'the client asks without encryption');
      return this.#refuse(option, OptionReply.errorTlsRequired, 'this server speaks TLS only');
    }
    if (this.#scene.isEnding() && option !== Option.exportName) {
      return this.#refuse(option, OptionReply.errorShutdown, 'the server is shutting down');
    }
    try {
      return await this.#handle(option, data);
    } catch (error) {
      if (option === Option.exportName) throw error instanceof Unavailable ? error.cause : error;
      if (error instanceof Unavailable) return this.#refuseUnavailable(option, error.cause);
      if (!CalveError.is(error, 'invalid')) throw error;
      return this.#refuse(option, OptionReply.errorInvalid, error.message);
    }
  }

  #refuseUnavailable(option: number, cause: unknown): undefined {
    this.#scene.onFailure(cause);
    const code = CalveError.is(cause) ? cause.code : 'io';
    const isPolicy = code === 'in-use' || code === 'denied';
    const reply = isPolicy ? OptionReply.errorPolicy : OptionReply.errorUnknown;
    return this.#refuse(option, reply, `the export is not available: ${code}`);
  }

  /** Asks the exports, for which the client is not to blame. */
  async #ask<T>(question: (exports: OpenExports) => Promise<T>): Promise<T> {
    try {
      return await this.#scene.clock.without(() => question(this.#scene.exports));
    } catch (cause) {
      throw new Unavailable('unavailable', { cause });
    }
  }

  #abort(): Negotiated {
    this.#reply(Option.abort, OptionReply.ack);
    this.#reader.release();
    return { socket: this.#socket, agreed: undefined };
  }

  async #handle(option: number, data: Buffer): Promise<Outcome> {
    switch (option) {
      case Option.exportName:
        return this.#exportName(checkName(data.toString('utf8')));
      case Option.list:
        return this.#list(data);
      case Option.startTls:
        return this.#startTls(data);
      case Option.info:
      case Option.go:
        return this.#infoOrGo(option, data);
      case Option.structuredReply:
        return this.#setMode(option, data, 'structured');
      case Option.extendedHeaders:
        return this.#setMode(option, data, 'extended');
      case Option.listMetaContext:
      case Option.setMetaContext:
        return this.#metaContext(option, data);
      default:
        return this.#refuse(option, OptionReply.errorUnsupported, `unknown option ${option}`);
    }
  }

  /** No error can be told here: what is wrong ends the connection. */
  async #exportName(name: string): Promise<Outcome> {
    if (this.#mode === 'extended') throw new CalveError('invalid', 'EXPORT_NAME after EXTENDED_HEADERS');
    const found = await this.#ask((exports) => exports.find(name));
    if (found === undefined) throw new CalveError('not-found', `no export is called ${JSON.stringify(name)}`);
    const hold = await this.#ask((exports) => exports.hold(found));
    const { size, flags } = this.#describe(hold);
    const reply = Buffer.alloc(10 + (this.#noZeroes ? 0 : 124));
    reply.writeBigUInt64BE(size, 0);
    reply.writeUInt16BE(flags, 8);
    this.#socket.write(reply);
    return this.#agree(hold);
  }

  async #list(data: Buffer): Promise<Outcome> {
    if (data.length > 0) return this.#refuse(Option.list, OptionReply.errorInvalid, 'LIST takes no data');
    for (const { name, description } of await this.#ask((exports) => exports.list())) {
      this.#reply(Option.list, OptionReply.server, serverReply.encode({ name, description }));
      await drained(this.#socket);
    }
    return this.#reply(Option.list, OptionReply.ack);
  }

  async #startTls(data: Buffer): Promise<Outcome> {
    const { startTls } = this.#scene;
    const option = Option.startTls;
    if (data.length > 0) return this.#refuse(option, OptionReply.errorInvalid, 'STARTTLS takes no data');
    if (this.#encrypted) return this.#refuse(option, OptionReply.errorInvalid, 'TLS has begun already');
    if (startTls === undefined) return this.#refuse(option, OptionReply.errorPolicy, 'TLS is not set up');
    // What came ahead of the encryption must not count as if it had come after.
    if (this.#socket.readableLength > 0) throw new CalveError('denied', 'data between STARTTLS and TLS');
    this.#reply(option, OptionReply.ack);
    this.#reader.release();
    this.#socket = await startTls(this.#socket);
    this.#socket.on('error', () => {}); // shows as the end of the connection where it is read
    this.#reader = new SocketReader(this.#socket);
    this.#encrypted = true;
    this.#mode = 'simple';
    this.#chosen = undefined;
    return undefined;
  }

  async #infoOrGo(option: number, data: Buffer): Promise<Outcome> {
    const { name, wanted } = decode(infoRequest, data);
    const found = await this.#find(name);
    if (found === undefined) return this.#refuse(option, OptionReply.errorUnknown, 'no export has this name');
    const hold = await this.#ask((exports) => exports.hold(found));
    const { size, flags } = this.#describe(hold);
    const info = (bytes: Uint8Array): undefined => this.#reply(option, OptionReply.info, bytes);
    info(exportInfo.encode({ size, flags }));
    if (wanted.includes(Info.name)) info(nameInfo.encode({ name: found.name }));
    if (wanted.includes(Info.description)) {
      info(descriptionInfo.encode({ description: found.description }));
    }
    if (wanted.includes(Info.blockSize)) {
      const [minimum, preferred, maximum] = [1, PREFERRED_BLOCK, MAXIMUM_PAYLOAD];
      info(blockSizeInfo.encode({ minimum, preferred, maximum }));
    }
    this.#reply(option, OptionReply.ack);
    if (option === Option.go) return this.#agree(hold);
    // The client has its answer; that the disk did not close well is for the server to know.
    await this.#scene.clock.without(() => hold.release().catch(this.#scene.onFailure));
    return undefined;
  }

  #find(name: string): Promise<NbdExport | undefined> {
    checkName(name);
    return this.#ask((exports) => exports.find(name));
  }

  #setMode(option: number, data: Buffer, mode: ReplyMode): Outcome {
    if (data.length > 0) return this.#refuse(option, OptionReply.errorInvalid, 'this option takes no data');
    if (this.#mode === 'extended') {
      const { errorInvalid, errorExtendedHeadersRequired } = OptionReply;
      const reply = mode === 'extended' ? errorInvalid : errorExtendedHeadersRequired;
      return this.#refuse(option, reply, 'extended headers are agreed on already');
    }
    this.#mode = mode;
    return this.#reply(option, OptionReply.ack);
  }

  async #metaContext(option: number, data: Buffer): Promise<Outcome> {
    const isSet = option === Option.setMetaContext;
    if (this.#mode === 'simple') {
      return this.#refuse(option, OptionReply.errorInvalid, 'structured replies come first');
    }
    const { name, queries } = decode(contextRequest, data);
    const found = await this.#find(name);
    if (found === undefined) return this.#refuse(option, OptionReply.errorUnknown, 'no export has this name');
    const contexts = contextsAskedFor(found, queries, isSet ? 'set' : 'list');
    const chosen = contexts.map((context, at) => ({ id: at + 1, context }));
    for (const { id, context } of chosen) {
      const reply = contextReply.encode({ id: isSet ? id : 0, name: context.name });
      this.#reply(option, OptionReply.metaContext, reply);
    }
    if (isSet) this.#chosen = { name: found.name, contexts: chosen };
    return this.#reply(option, OptionReply.ack);
  }

  #describe(hold: Hold): { readonly size: bigint; readonly flags: number } {
    return describeExport(hold, this.#mode, this.#contextsOf(hold).length);
  }

  /** What was chosen of this export; the choice for another one counts for nothing. */
  #contextsOf(hold: Hold): readonly ChosenContext[] {
    return this.#chosen?.name === hold.export.name ? this.#chosen.contexts : [];
  }

  #agree(hold: Hold): Negotiated {
    const agreed = { format: new ReplyFormat(this.#mode), hold, contexts: this.#contextsOf(hold) };
    this.#reader.release();
    return { socket: this.#socket, agreed };
  }

  #refuse(option: number, reply: number, message: string): undefined {
    return this.#reply(option, reply, Buffer.from(message));
  }

  #reply(option: number, reply: number, data: Uint8Array = new Uint8Array()): undefined {
    const header = optionReplyHeader.encode({ option, reply, length: data.length });
    this.#socket.write(Buffer.concat([header, data]));
    return undefined;
  }
}

/** Resolves when what was written has gone to the kernel for the most part, or the connection is gone. */
async function drained(socket: Duplex): Promise<void> {
  while (socket.writableNeedDrain && !socket.destroyed) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      socket.on('drain', done).on('close', done);
    });
  }
}

/** @throws CalveError `invalid` */
function decode<T>(coder: { decode(bytes: Uint8Array): T }, data: Buffer): T {
  try {
    return coder.decode(data);
  } catch (cause) {
    throw new CalveError('invalid', 'the data of the option do not fit', { cause });
  }
}

/** @throws CalveError `invalid` */
function checkName(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST_STRING && !name.includes('\0')) return name;
  throw new CalveError('invalid', `a name longer than ${LONGEST_STRING} bytes, or with a NUL`);
}
