import { setTimeout as sleep } from 'node:timers/promises';
import { CalveError } from '../../errors/index.ts';
import { Command, TransmissionFlag } from '../protocol/numbers.ts';
import type { ClientSettings } from './client-options.ts';
import { type Connection, canShare } from './connection.ts';
import type { ExportAgreement } from './handshake.ts';
import { type ClientCommand, type StatusByContext, weightOf } from './pending-request.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

const WRITES: ReadonlySet<number> = new Set([Command.write, Command.writeZeroes, Command.trim]);

/**
 * The connections to one export, which are used as if they were one. There is one at first; others are made while all
 * are busy. One that was lost is replaced where nothing is written; a server that writes is not trusted again.
 */
export class ConnectionPool {
  /** What was agreed on first; every other connection agrees on the same export. */
  readonly agreed: ExportAgreement;
  readonly #connect: (signal: AbortSignal) => Promise<Connection>;
  readonly #settings: ClientSettings;
  readonly #open: Connection[] = [];
  /** Connections that wrote since they were flushed last. */
  readonly #unflushed = new Set<Connection>();
  readonly #waiting: { readonly weight: number; readonly enter: () => void }[] = [];
  readonly #closing = new AbortController();
  #weight = 0;
  #mayGrow: boolean;
  #growing: Promise<void> | undefined;
  #reconnecting: Promise<Connection> | undefined;
  /** Why nothing can be done any more. */
  #failure: CalveError | undefined;

  /**
   * @param connect makes a connection, until its signal is aborted
   * @throws CalveError what keeps the first connection from being made
   */
  static async open(
    connect: (signal: AbortSignal) => Promise<Connection>,
    settings: ClientSettings,
  ): Promise<ConnectionPool> {
    return new ConnectionPool(await connect(settings.signal), connect, settings);
  }

  private constructor(
    first: Connection,
    connect: (signal: AbortSignal) => Promise<Connection>,
    settings: ClientSettings,
  ) {
    this.agreed = first.agreed;
    this.#connect = connect;
    this.#settings = settings;
    this.#mayGrow = canShare(first.agreed);
    this.#add(first);
    settings.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (settings.signal.aborted) this.#onAbort();
  }

  /** How many connections stand. */
  get connections(): number {
    return this.#open.length;
  }

  /**
   * Performs a command as soon as there is room for it.
   * @throws CalveError what the server answers; `io` when the connection is lost, and what is to be read cannot be read
   * from a new one; `invalid` when the server breaks the protocol; `aborted`
   */
  async perform(command: ClientCommand): Promise<StatusByContext> {
    const weight = weightOf(command);
    if (this.#waiting.length === 0 && this.#hasRoom(weight)) this.#weight += weight;
    else await new Promise<void>((enter) => this.#waiting.push({ weight, enter }));
    try {
      return await this.#attempt(command);
    } finally {
      this.#weight -= weight;
      this.#admit();
    }
  }

  /**
   * Resolves when all that was written before is stored. It is asked of every connection that wrote: the one that is told
   * could answer for all, but none has to be believed that it does.
   */
  async flush(): Promise<void> {
    if (this.#failure) throw this.#failure;
    const unflushed = [...this.#unflushed];
    this.#unflushed.clear();
    if ((this.agreed.flags & TransmissionFlag.sendFlush) === 0) return;
    const flush = async (connection: Connection): Promise<void> => {
      try {
        await connection.perform({ command: Command.flush, flags: 0, offset: 0, length: 0 });
      } catch (error) {
        this.#unflushed.add(connection);
        throw error;
      }
    };
    const done = await Promise.allSettled(unflushed.map(flush));
    const failed = done.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Takes leave of the server. Nothing may be under way. */
  async close(): Promise<void> {
    this.#failure ??= new CalveError('closed', 'the disk was closed before');
    this.#settings.signal.removeEventListener('abort', this.#onAbort);
    this.#closing.abort(this.#failure);
    await this.#growing;
    await Promise.all(this.#open.splice(0).map((connection) => connection.disconnect()));
  }

  async #attempt(command: ClientCommand): Promise<StatusByContext> {
    for (let repeated = 0; ; repeated += 1) {
      if (this.#failure) throw this.#failure;
      const connection = this.#leastBusy() ?? (await this.#reconnect());
      try {
        return await connection.perform(command);
      } catch (error) {
        const isRepeated = error === connection.loss && this.#failure === undefined;
        if (!isRepeated || repeated >= this.#settings.retries) throw error;
      } finally {
        // Not before: a flush meanwhile need not cover a command that was under way.
        if (WRITES.has(command.command)) this.#unflushed.add(connection);
      }
    }
  }

  #hasRoom(weight: number): boolean {
    return this.#weight === 0 || this.#weight + weight <= this.#settings.bytesInFlight;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoom(next.weight); next = this.#waiting[0]) {
      this.#weight += next.weight;
      this.#waiting.shift();
      next.enter();
    }
  }

  #leastBusy(): Connection | undefined {
    let least: Connection | undefined;
    for (const each of this.#open) if (least === undefined || each.load < least.load) least = each;
    if (least !== undefined && least.load > 0) this.#grow();
    return least;
  }

  /** Makes one connection more, meanwhile. One that cannot be had is no failure: what there is does the work. */
  #grow(): void {
    if (!this.#mayGrow || this.#growing || this.#open.length >= this.#settings.connections) return;
    this.#growing = this.#growByOne().finally(() => {
      this.#growing = undefined;
    });
  }

  async #growByOne(): Promise<void> {
    try {
      const connection = await this.#connect(AbortSignal.any([this.#settings.signal, this.#closing.signal]));
      if (this.#isSame(connection) && !this.#failure) {
        this.#add(connection);
        return;
      }
      await connection.disconnect();
    } catch {
      // Whatever it is, what stands does not suffer from it.
    }
    this.#mayGrow = false;
  }

  #reconnect(): Promise<Connection> {
    this.#reconnecting ??= this.#connectAgain().finally(() => {
      this.#reconnecting = undefined;
    });
    return this.#reconnecting;
  }

  async #connectAgain(): Promise<Connection> {
    const { retries, signal } = this.#settings;
    for (let attempt = 1; ; attempt += 1) {
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
      await sleep(pause, undefined, { signal }).catch(() => {}); // `#failure` has the reason then
      if (this.#failure) throw this.#failure;
      try {
        return await this.#replace(await this.#connect(signal));
      } catch (error) {
        // The server may be starting again, and may not have the export yet.
        const mayPass = CalveError.is(error, 'io') || CalveError.is(error, 'not-found');
        if (this.#failure || !mayPass || attempt >= retries) throw error;
      }
    }
  }

  /** @throws CalveError `io` when the export is another one than before: then nothing can be read any more */
  async #replace(connection: Connection): Promise<Connection> {
    if (this.#isSame(connection) && !this.#failure) return this.#add(connection);
    await connection.disconnect();
    const [before, now] = [this.agreed, connection.agreed];
    const error = new CalveError(
      'io',
      `connected again, expected ${before.size} bytes in blocks of ${before.blocks.minimum}, ` +
        `got ${now.size} bytes in blocks of ${now.blocks.minimum}: it is another disk`,
    );
    this.#fail(error);
    throw this.#failure ?? error;
  }

  #isSame({ agreed: { size, blocks } }: Connection): boolean {
    return size === this.agreed.size && blocks.minimum === this.agreed.blocks.minimum;
  }

  #add(connection: Connection): Connection {
    this.#open.push(connection);
    connection.onLoss = (loss) => this.#lose(connection, loss);
    if (connection.loss) this.#lose(connection, connection.loss);
    return connection;
  }

  #lose(connection: Connection, loss: CalveError): void {
    const at = this.#open.indexOf(connection);
    if (at >= 0) this.#open.splice(at, 1);
    if (!this.#settings.readOnly) {
      const message = `${loss.message}; what was written since the last flush may not be stored`;
      this.#fail(new CalveError(loss.code, message, { cause: loss }));
    } else if (loss.code !== 'io' || this.#settings.retries === 0) {
      this.#fail(loss);
    }
  }

  readonly #onAbort = (): void => {
    this.#fail(new CalveError('aborted', 'the use of the export was cancelled'));
  };

  /** Nothing goes on from here. */
  #fail(error: CalveError): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const connection of [...this.#open]) connection.destroy(error);
    for (const { enter, weight } of this.#waiting.splice(0)) {
      this.#weight += weight;
      enter();
    }
  }
}
