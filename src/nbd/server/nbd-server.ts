import { once } from 'node:events';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemError } from '../../errors/index.ts';
import { ClientClock } from './client-clock.ts';
import { farewell } from './farewell.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { MemoryShare } from './memory-share.ts';
import type { ExportSource } from './nbd-export.ts';
import { type Negotiated, negotiate } from './negotiation.ts';
import { OpenExports } from './open-exports.ts';
import { type Agreement, Transmission } from './transmission.ts';

/** How a server serves. */
export interface NbdServerOptions {
  readonly exports: ExportSource;
  /** Upgrades connections to TLS, which every client must use then. */
  readonly startTls?: ((socket: Duplex) => Promise<Duplex>) | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** Told of what went wrong with a client or its disk, which is never more than that client's loss. */
  readonly onClientError?: ((error: unknown) => void) | undefined;
  /** Told how many clients use an export, each time one comes or goes. */
  readonly onClients?: ((count: number) => void) | undefined;
}

interface Client {
  readonly socket: Socket;
  transmission: Transmission | undefined;
}

/** How long a TCP client may be silent until the kernel looks whether it is still there, milliseconds. */
const SILENCE_MS = 60_000;

/**
 * Serves disks over NBD, on as many sockets as it is told to listen on.
 *
 * @example
 * await using server = new NbdServer({ exports: fixedExports([{ name: '', description: '', readOnly: true, open }]) });
 * await server.listen({ path: '/run/disk.sock' });
 */
export class NbdServer implements AsyncDisposable {
  readonly #exports: OpenExports;
  readonly #options: NbdServerOptions;
  readonly #limits: Limits;
  readonly #memory: MemoryShare;
  readonly #listeners: Server[] = [];
  readonly #clients = new Set<Client>();
  /** Also of clients that had to make room. */
  readonly #served = new Set<Promise<void>>();
  #ending = false;
  #using = 0;

  constructor(options: NbdServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#memory = new MemoryShare(this.#limits);
    this.#exports = new OpenExports(options.exports);
  }

  /**
   * Takes clients at an address: `{ path }`, `{ host, port }` or `{ fd }`.
   * @throws CalveError `io`, `denied`, `exists` when the address is taken
   */
  async listen(address: ListenOptions & { readonly fd?: number }): Promise<ReturnType<Server['address']>> {
    const listener = createServer(
      { noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: SILENCE_MS },
      (socket) => this.#welcome(socket),
    );
    try {
      listener.listen(address);
      await once(listener, 'listening');
    } catch (error) {
      const where = address.path ?? `${address.host ?? ''}:${address.port}`;
      throw systemError(`cannot listen on ${where}`, error);
    }
    // A client that could not be taken, for want of memory, say, is that client's loss.
    listener.on('error', (error) => this.#tell(error));
    this.#listeners.push(listener);
    return listener.address();
  }

  /** Takes no more clients or requests, answers what is under way, and closes every disk. */
  async close(): Promise<void> {
    this.#ending = true;
    for (const listener of this.#listeners) listener.close();
    for (const { socket, transmission } of this.#clients) {
      if (transmission) transmission.finish();
      else socket.destroy();
    }
    await Promise.all(this.#served);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #welcome(socket: Socket): void {
    socket.on('error', () => {}); // shows as the end of the connection where it is read
    if (this.#ending || !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    const client: Client = { socket, transmission: undefined };
    this.#clients.add(client);
    const served = this.#serve(client)
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        socket.destroy();
        this.#clients.delete(client);
        this.#served.delete(served);
      });
    this.#served.add(served);
  }

  /** Where there is a client too many, the one that has been trying to agree for longest makes room. */
  #makeRoom(): boolean {
    if (this.#clients.size < this.#limits.clients) return true;
    for (const client of this.#clients) {
      if (client.transmission) continue;
      client.socket.destroy();
      this.#clients.delete(client);
      return true;
    }
    return false;
  }

  async #serve(client: Client): Promise<void> {
    const { socket, agreed } = await this.#negotiate(client);
    if (agreed) await this.#transmit(client, socket, agreed);
    else await farewell(socket, this.#limits.farewellMs);
  }

  async #negotiate({ socket }: Client): Promise<Negotiated> {
    const clock = new ClientClock(this.#limits.handshakeMs, () => socket.destroy());
    clock.start();
    try {
      return await negotiate(socket, {
        exports: this.#exports,
        startTls: this.#options.startTls,
        clock,
        isEnding: () => this.#ending,
        onFailure: (error) => this.#tell(error),
      });
    } finally {
      clock.stop();
    }
  }

  async #transmit(client: Client, socket: Duplex, agreed: Agreement): Promise<void> {
    this.#countUsing(1);
    try {
      const scene = { limits: this.#limits, memory: this.#memory, onFailure: this.#tell };
      client.transmission = new Transmission(socket, agreed, scene);
      if (this.#ending) client.transmission.finish();
      await client.transmission.run();
    } finally {
      try {
        await agreed.hold.release();
      } finally {
        this.#countUsing(-1);
      }
    }
  }

  readonly #tell = (error: unknown): void => this.#options.onClientError?.(error);

  #countUsing(by: number): void {
    this.#using += by;
    this.#options.onClients?.(this.#using);
  }
}
