import { CalveError } from '../../errors/index.ts';
import { LONGEST_STRING, Option, OptionReply } from '../protocol/numbers.ts';
import { optionHeader, optionReplyHeader } from '../protocol/option-data.ts';
import type { Inbox } from './inbox.ts';
import { forOneLine } from './server-error.ts';

/** Why a server does not do what an option asks for. */
export interface OptionRefusal {
  /** A number of `OptionReply`. */
  readonly reply: number;
  /** The server's words, perhaps none, in one line. */
  readonly message: string;
}

/** The longest reply to an option, bytes: a name and a description. */
const LONGEST_REPLY = 2 * LONGEST_STRING + 64;
/** Replies to one option: a server may have many exports. */
const MOST_REPLIES = 100_000;

const NAMES = new Map<number, string>(Object.entries(Option).map(([name, number]) => [number, name]));

/** Options asked for one after the other, as the client of a handshake (section "Fixed newstyle negotiation"). */
export class OptionExchange {
  readonly #inbox: Inbox;
  readonly #write: (parts: readonly Uint8Array[]) => void;
  readonly #where: string;

  constructor(inbox: Inbox, where: string, write: (parts: readonly Uint8Array[]) => void) {
    this.#inbox = inbox;
    this.#where = where;
    this.#write = write;
  }

  /** Sends an option whose reply has a form of its own, or none. */
  send(option: number, data: Uint8Array = new Uint8Array()): void {
    this.#write([optionHeader.encode({ option, length: data.length }), data]);
  }

  /**
   * Asks for an option.
   * @param onReply takes the replies that come ahead of the last one
   * @returns why not; undefined when the server did it
   * @throws CalveError `invalid` when the replies break the protocol; why the connection ended
   */
  async ask(
    option: number,
    data?: Uint8Array,
    onReply?: (reply: number, data: Buffer) => void,
  ): Promise<OptionRefusal | undefined> {
    this.send(option, data);
    for (let count = 0; count < MOST_REPLIES; count += 1) {
      const header = await this.#inbox.read(20);
      const found = this.decode(optionReplyHeader, header);
      if (found.option !== option) throw this.nonsense(`a reply to option ${found.option}`);
      if (found.length > LONGEST_REPLY) throw this.nonsense(`${found.length} bytes of reply`);
      const payload = await this.#inbox.read(found.length);
      if (found.reply === OptionReply.ack) return undefined;
      if (found.reply >= OptionReply.errorUnsupported) {
        return { reply: found.reply, message: forOneLine(payload.toString('utf8')) };
      }
      if (onReply === undefined)
        throw this.nonsense(`a reply of type ${found.reply} to ${NAMES.get(option)}`);
      onReply(found.reply, payload);
    }
    throw this.nonsense(`more than ${MOST_REPLIES} replies to ${NAMES.get(option)}`);
  }

  /** @throws CalveError `invalid` when the bytes are not what the coder expects */
  decode<T>(coder: { decode(bytes: Uint8Array): T }, bytes: Buffer): T {
    try {
      return coder.decode(bytes);
    } catch (cause) {
      throw this.nonsense('malformed data', cause);
    }
  }

  nonsense(what: string, cause?: unknown): CalveError {
    const details = cause === undefined ? {} : { cause };
    return new CalveError('invalid', `${this.#where}: the server breaks the protocol: ${what}`, details);
  }
}
