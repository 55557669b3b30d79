import { CalveError, type ErrorCode } from '../../errors/index.ts';
import {
  ClientFlag,
  HandshakeFlag,
  Info,
  MAGIC,
  OPTION_MAGIC,
  Option,
  OptionReply,
} from '../protocol/numbers.ts';
import { contextReply, contextRequest, infoRequest } from '../protocol/option-data.ts';
import type { ReplyMode } from '../protocol/reply-format.ts';
import { type ExportFacts, ExportInfos } from './export-infos.ts';
import type { Inbox } from './inbox.ts';
import { OptionExchange, type OptionRefusal } from './option-exchange.ts';

/** What client and server agreed on, and what the export is. */
export interface ExportAgreement extends ExportFacts {
  readonly mode: ReplyMode;
  /** The numbers of the contexts that can be asked for, by their names. */
  readonly contexts: ReadonlyMap<string, number>;
}

/** What a handshake is done with. */
export interface HandshakeScene {
  readonly inbox: Inbox;
  /** For messages: the address. */
  readonly where: string;
  write(parts: readonly Uint8Array[]): void;
  /** Encrypts the connection; where it is given, it is never used in plain text. */
  readonly startTls: (() => Promise<void>) | undefined;
}

/** What old servers greet with in the place of OPTION_MAGIC (section "Oldstyle negotiation"). */
const OLD_STYLE_MAGIC = 0x420281861253n;
/** Zeros that follow the description of an export that was opened by name alone, unless both sides can do without. */
const PADDING = 124;
/** Contexts that a server may give where two are asked for. */
const MOST_CONTEXTS = 16;

/** Why a server refuses, as an error of ours; any other means that it will not. */
const REFUSALS: Readonly<Record<number, readonly [code: ErrorCode, what: string]>> = {
  [OptionReply.errorUnknown]: ['not-found', 'has no such export'],
  [OptionReply.errorTlsRequired]: ['denied', 'takes encrypted connections only'],
  [OptionReply.errorPlatform]: ['unsupported', 'cannot do this'],
  [OptionReply.errorUnsupported]: ['unsupported', 'cannot do this'],
  [OptionReply.errorShutdown]: ['io', 'is shutting down'],
};

/** The first phase of a connection, from the client's side (section "Newstyle negotiation"). */
export class Handshake {
  readonly #scene: HandshakeScene;
  readonly #exchange: OptionExchange;
  #isFixed = false;
  #noZeroes = false;

  /**
   * Greets, and encrypts the connection where that is asked for.
   * @throws CalveError `unsupported` for a server of the old style, `denied` for one that does not encrypt, `invalid` for
   * one that breaks the protocol, `io`
   */
  static async begin(scene: HandshakeScene): Promise<Handshake> {
    const handshake = new Handshake(scene);
    await handshake.#greet();
    return handshake;
  }

  private constructor(scene: HandshakeScene) {
    this.#scene = scene;
    this.#exchange = new OptionExchange(scene.inbox, scene.where, (parts) => scene.write(parts));
  }

  /**
   * The exports that the server tells of.
   * @param onServer takes the data of each reply SERVER
   * @throws CalveError `unsupported`, `denied`, `invalid`, `io`
   */
  async list(onServer: (data: Buffer) => void): Promise<void> {
    if (!this.#isFixed) {
      throw new CalveError('unsupported', `${this.#scene.where}: the server is too old to list its exports`);
    }
    const refusal = await this.#exchange.ask(Option.list, undefined, (reply, data) => {
      if (reply !== OptionReply.server) throw this.#exchange.nonsense(`a reply of type ${reply} to a list`);
      onServer(data);
    });
    if (refusal) throw this.#refused(refusal);
  }

  /** Takes leave of a server without having opened an export. */
  abort(): void {
    if (this.#isFixed) this.#exchange.send(Option.abort);
  }

  /**
   * Opens an export: with extended headers, else structured replies, else simple ones, as the server can.
   * @param contexts names of metadata contexts that are wanted where the server has them
   * @throws CalveError `not-found`, `denied`, `unsupported`, `invalid`, `io`
   */
  async open(name: string, contexts: readonly string[]): Promise<ExportAgreement> {
    if (!this.#isFixed) return this.#openByName(name, 'simple');
    const mode = await this.#chooseMode();
    const chosen = mode === 'simple' ? new Map() : await this.#chooseContexts(name, contexts);
    const infos = new ExportInfos(this.#exchange);
    const data = infoRequest.encode({ name, wanted: [Info.blockSize] });
    const refusal = await this.#exchange.ask(Option.go, data, (reply, info) => infos.add(reply, info));
    if (!refusal) return { mode, contexts: chosen, ...infos.whole() };
    if (refusal.reply === OptionReply.errorUnsupported && mode !== 'extended')
      return this.#openByName(name, mode);
    throw this.#refused(refusal);
  }

  async #greet(): Promise<void> {
    const { inbox, where, startTls } = this.#scene;
    const magic = await inbox.read(16);
    if (magic.readBigUInt64BE(0) !== MAGIC) {
      throw new CalveError('invalid', `${where}: expected an NBD server, got ${magic.toString('hex', 0, 8)}`);
    }
    if (magic.readBigUInt64BE(8) === OLD_STYLE_MAGIC) {
      throw new CalveError(
        'unsupported',
        `${where}: the server speaks the oldstyle NBD protocol, which cannot be used`,
      );
    }
    if (magic.readBigUInt64BE(8) !== OPTION_MAGIC) throw this.#exchange.nonsense('its greeting');
    const flags = (await inbox.read(2)).readUInt16BE();
    this.#isFixed = (flags & HandshakeFlag.fixedNewstyle) !== 0;
    this.#noZeroes = (flags & HandshakeFlag.noZeroes) !== 0;
    const answer = Buffer.alloc(4);
    answer.writeUInt32BE(
      (this.#isFixed ? ClientFlag.fixedNewstyle : 0) | (this.#noZeroes ? ClientFlag.noZeroes : 0),
    );
    this.#scene.write([answer]);
    if (startTls) await this.#encrypt(startTls);
  }

  async #encrypt(startTls: () => Promise<void>): Promise<void> {
    const refusal = this.#isFixed
      ? await this.#exchange.ask(Option.startTls)
      : { reply: OptionReply.errorUnsupported, message: 'too old' };
    if (refusal) {
      const why = refusal.message === '' ? '' : ` (${refusal.message})`;
      throw new CalveError('denied', `${this.#scene.where}: the server does not encrypt${why}`);
    }
    // What came ahead of the encryption must not count as if it had come after.
    if (this.#scene.inbox.unread > 0) throw this.#exchange.nonsense('data between STARTTLS and TLS');
    await startTls();
  }

  async #chooseMode(): Promise<ReplyMode> {
    const extended = await this.#exchange.ask(Option.extendedHeaders);
    if (!extended) return 'extended';
    if (extended.reply === OptionReply.errorTlsRequired) throw this.#refused(extended);
    return (await this.#exchange.ask(Option.structuredReply)) ? 'simple' : 'structured';
  }

  /** Which of the contexts there are; a server that refuses has none. */
  async #chooseContexts(name: string, queries: readonly string[]): Promise<Map<string, number>> {
    const chosen = new Map<string, number>();
    const data = contextRequest.encode({ name, queries: [...queries] });
    const refusal = await this.#exchange.ask(Option.setMetaContext, data, (reply, bytes) => {
      const context = this.#exchange.decode(contextReply, bytes);
      const isNew = !chosen.has(context.name) && ![...chosen.values()].includes(context.id);
      if (reply !== OptionReply.metaContext || !isNew || chosen.size === MOST_CONTEXTS) {
        throw this.#exchange.nonsense('the contexts that it chose');
      }
      chosen.set(context.name, context.id);
    });
    return refusal ? new Map() : chosen;
  }

  /** For servers that do not know GO: one that does not have the export ends the connection. */
  async #openByName(name: string, mode: ReplyMode): Promise<ExportAgreement> {
    this.#exchange.send(Option.exportName, Buffer.from(name));
    const { inbox, where } = this.#scene;
    const infos = new ExportInfos(this.#exchange);
    try {
      infos.setExport(await inbox.read(10));
      if (!this.#noZeroes) await inbox.read(PADDING);
    } catch (error) {
      if (!CalveError.is(error, 'io')) throw error;
      const message = `${where}: the server ended the connection when it was asked for the export`;
      throw new CalveError('io', message, { cause: error, hint: 'it may not have an export of this name' });
    }
    return { mode, contexts: new Map(), ...infos.whole() };
  }

  #refused({ reply, message }: OptionRefusal): CalveError {
    const [code, what] = REFUSALS[reply] ?? ['denied', 'refuses'];
    const said = message === '' ? '' : ` (${message})`;
    const needsTls = reply === OptionReply.errorTlsRequired;
    return new CalveError(code, `${this.#scene.where}: the server ${what}${said}`, {
      ...(needsTls && { hint: 'nbds:// or nbds+unix://, with tls-certificates=DIR or tls-psk-file=FILE' }),
    });
  }
}
