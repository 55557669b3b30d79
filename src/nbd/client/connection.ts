import type { CalveError } from '../../errors/index.ts';
import { Command, CommandFlag, TransmissionFlag } from '../protocol/numbers.ts';
import { encodeRequest } from '../protocol/request.ts';
import type { ExportAgreement } from './handshake.ts';
import { type ClientCommand, PendingRequest, type StatusByContext, weightOf } from './pending-request.ts';
import { ReplyReader } from './reply-reader.ts';
import { serverError } from './server-error.ts';
import type { Wire } from './wire.ts';

/** How long a server may take to end a connection that this side has ended, milliseconds. */
const GOODBYE_MS = 1000;

const NO_STATUS: StatusByContext = new Map();

/** The second phase of a connection: commands, any number at a time, and their replies. */
export class Connection {
  readonly agreed: ExportAgreement;
  /** What the commands under way weigh. */
  load = 0;
  /** Why the connection has ended; undefined while it stands. Every command under way fails with this very error. */
  loss: CalveError | undefined;
  /** Called when it ends. */
  onLoss: (loss: CalveError) => void = () => {};
  readonly #wire: Wire;
  readonly #pending = new Map<number, PendingRequest>();
  #cookie = 0;
  #outgoing: Uint8Array[] = [];

  constructor(wire: Wire, agreed: ExportAgreement) {
    this.agreed = agreed;
    this.#wire = wire;
    wire.receiver = new ReplyReader({
      where: wire.where,
      mode: agreed.mode,
      contexts: new Set(agreed.contexts.values()),
      find: (cookieHigh, cookieLow) => (cookieHigh === 0 ? this.#pending.get(cookieLow) : undefined),
      fail: (pending, errno, message) => {
        pending.failure ??= serverError(wire.where, pending.command, errno, message);
      },
      done: (pending) => this.#settle(pending, pending.failure),
    });
    wire.onEnd = (error) => this.#lose(error);
  }

  /**
   * Sends a command, together with the others of this turn of the event loop.
   * @throws CalveError what the server answers; `loss`
   */
  perform(command: ClientCommand): Promise<StatusByContext> {
    if (this.loss) return Promise.reject(this.loss);
    do this.#cookie = (this.#cookie + 1) >>> 0;
    while (this.#pending.has(this.#cookie));
    const pending = new PendingRequest(command, this.#cookie);
    this.#pending.set(pending.cookieLow, pending);
    this.load += weightOf(command);
    this.#send(command, pending.cookieLow);
    return pending.answered.promise;
  }

  /** Takes leave, once nothing is under way. */
  async disconnect(): Promise<void> {
    if (!this.loss) {
      this.#send({ command: Command.disconnect, flags: 0, offset: 0, length: 0 }, 0);
      this.#sendAll();
    }
    await this.#wire.end(GOODBYE_MS);
  }

  /** Ends it at once; what is under way fails with `error`. */
  destroy(error: CalveError): void {
    this.#wire.destroy(error);
  }

  #send({ command, flags, offset, length, from }: ClientCommand, cookieLow: number): void {
    if (this.#outgoing.length === 0) process.nextTick(() => this.#sendAll());
    const isExtended = this.agreed.mode === 'extended';
    const payload = isExtended && from !== undefined ? CommandFlag.payloadLength : 0;
    const request = { command, flags: flags | payload, cookieHigh: 0, cookieLow, offset, length };
    this.#outgoing.push(encodeRequest(request, isExtended));
    if (from !== undefined) this.#outgoing.push(from);
  }

  #sendAll(): void {
    const parts = this.#outgoing;
    if (parts.length === 0) return;
    this.#outgoing = [];
    this.#wire.write(parts);
  }

  #settle(pending: PendingRequest, failure: CalveError | undefined): void {
    this.#pending.delete(pending.cookieLow);
    this.load -= weightOf(pending.command);
    if (failure) pending.answered.reject(failure);
    else pending.answered.resolve(pending.isStatus ? this.#statusByName(pending) : NO_STATUS);
  }

  #statusByName({ status }: PendingRequest): StatusByContext {
    return new Map([...this.agreed.contexts].map(([name, id]) => [name, status.get(id) ?? []]));
  }

  #lose(error: CalveError): void {
    this.loss = error;
    for (const pending of [...this.#pending.values()]) this.#settle(pending, error);
    this.onLoss(error);
  }
}

/** Whether several connections may be used as one (section "Transmission flags"). */
export function canShare({ flags }: ExportAgreement): boolean {
  return (flags & TransmissionFlag.canMultiConn) !== 0;
}
