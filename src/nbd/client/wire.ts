import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { CalveError, errnoOf, systemError } from '../../errors/index.ts';
import type { NbdSocket } from './nbd-address.ts';
import type { Receiver } from './receiver.ts';

/** A byte that tells a peer that has vanished from one that is slow, after so long, milliseconds. */
const KEEP_ALIVE_MS = 60_000;

/** Parts that are so short together, bytes, are copied rather than handed over one by one. */
const JOINED = 16 * 1024;

/** A connected socket, whose bytes go to a receiver; who that is may change. */
export class Wire {
  /** Who takes what comes. */
  receiver: Receiver;
  /** Called once, when the connection has ended, with the reason. */
  onEnd: (error: CalveError) => void = () => {};
  readonly where: string;
  #socket: Socket;
  #reason: CalveError | undefined;

  /**
   * Connects to `socket`.
   * @param where for messages: the address
   * @param isPlain nothing but what `receiver` gives room for is read into; else the connection can be encrypted
   * @throws CalveError `io`, `not-found`, `denied`: what keeps it from being made
   */
  static async connect(
    socket: NbdSocket,
    where: string,
    receiver: Receiver,
    { isPlain, signal }: { readonly isPlain: boolean; readonly signal: AbortSignal },
  ): Promise<Wire> {
    let wire: Wire | undefined;
    const onread = {
      buffer: () => (wire?.receiver ?? receiver).space(),
      callback: (count: number, buffer: Uint8Array) => wire?.received(count, buffer) ?? false,
    };
    const options = { ...socket, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const made = connect(isPlain ? { ...options, onread } : options);
    try {
      wire = new Wire(made, where, receiver);
      await once(made, 'connect', { signal });
    } catch (error) {
      made.destroy();
      if (signal.aborted) throw signal.reason;
      throw systemError(`cannot connect to ${where}`, error);
    }
    if (!isPlain) wire.#listen();
    return wire;
  }

  private constructor(socket: Socket, where: string, receiver: Receiver) {
    this.#socket = socket;
    this.where = where;
    this.receiver = receiver;
    this.#watch(socket);
  }

  /** Hands bytes on. Returns false when the connection has been ended because of them. */
  received(count: number, buffer: Uint8Array): boolean {
    if (this.#reason) return false;
    try {
      this.receiver.received(count, buffer);
    } catch (error) {
      this.destroy(systemError(this.where, error));
      return false;
    }
    return true;
  }

  /** Sends everything in one call to the kernel, as far as it takes it. */
  write(parts: readonly Uint8Array[]): void {
    if (this.#reason) return;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length <= JOINED) {
      this.#socket.write(Buffer.concat(parts, length));
      return;
    }
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  /**
   * Goes on with another socket, which `upgrade` makes of the one so far: an encrypted one.
   * @throws CalveError what `upgrade` throws; then the connection has ended
   */
  async upgrade(upgrade: (socket: Socket) => Promise<Socket>): Promise<void> {
    const before = this.#socket;
    before.removeAllListeners('data');
    try {
      this.#socket = await upgrade(before);
    } catch (error) {
      const reason = systemError(this.where, error);
      this.destroy(reason);
      throw reason;
    }
    this.#watch(this.#socket);
    this.#listen();
  }

  /** Says what is still to be said, and ends the connection; waits for the other side no longer than `ms`. */
  async end(ms: number): Promise<void> {
    this.#reason ??= new CalveError('closed', `${this.where}: the connection was closed before`);
    const socket = this.#socket;
    if (socket.destroyed) return;
    const late = setTimeout(() => socket.destroy(), ms);
    socket.end();
    await once(socket, 'close').catch(() => {});
    clearTimeout(late);
  }

  /** Ends the connection at once, because of `error`. */
  destroy(error: CalveError): void {
    this.#end(error);
    this.#socket.destroy();
  }

  #watch(socket: Socket): void {
    socket.on('error', (error) => this.#end(lossOf(this.where, error)));
    socket.on('close', () =>
      this.#end(new CalveError('io', `${this.where}: the server ended the connection`)),
    );
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => this.received(chunk.length, chunk));
  }

  #end(error: CalveError): void {
    if (this.#reason) return;
    this.#reason = error;
    this.onEnd(error);
  }
}

/** Why a connection was lost. What TLS refuses may be told only after it seemed to have begun. */
function lossOf(where: string, error: Error): CalveError {
  const isTls = /^ERR_(?:SSL|TLS)_/.test(errnoOf(error) ?? '');
  return isTls
    ? new CalveError('denied', `${where}: TLS: ${error.message}`, { cause: error })
    : new CalveError('io', `${where}: ${error.message}`, { cause: error });
}
