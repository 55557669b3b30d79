import { isIP, connect as netConnect, type OnReadOpts, type Socket } from 'node:net';
import { type SecureContext, connect as tlsConnect } from 'node:tls';
import type { BodyStream } from './body-stream.ts';
import { DirectStream } from './direct-stream.ts';
import { parseHead, type ResponseHead } from './parse-head.ts';

/** As much as Node.js takes of a head. */
const LONGEST_HEAD = 16 * 1024;
const END_OF_HEAD = '\r\n\r\n';

/** An answer whose body is read straight from its connection. */
export interface DirectAnswer extends ResponseHead {
  readonly body: BodyStream;
}

/** A question for something long, on a connection of its own. */
export class DirectGet {
  readonly #stream: DirectStream;
  readonly #url: URL;
  readonly #connected: Promise<void>;

  /** @param context with which TLS is spoken; undefined: plain */
  constructor(url: URL, context: SecureContext | undefined) {
    this.#url = url;
    this.#stream = new DirectStream((onread) => connectTo(url, context, onread));
    this.#connected = whenConnected(this.#stream.socket, context === undefined ? 'connect' : 'secureConnect');
    this.#connected.catch(() => {});
  }

  /** Resolves when there is a connection. @throws what it fails with */
  connected(): Promise<void> {
    return this.#connected;
  }

  /**
   * Asks, and resolves when the head of the answer is there; undefined when it is one that is left to Node.js.
   * @throws what the connection failed with
   */
  async ask(headers: Readonly<Record<string, string>>): Promise<DirectAnswer | undefined> {
    const { pathname, search, host } = this.#url;
    const lines = Object.entries({ host, connection: 'close', ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    await this.#stream.send(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('\r\n')}${END_OF_HEAD}`);
    let heard = Buffer.alloc(0);
    for (;;) {
      const piece = await this.#stream.next();
      if (piece === undefined) throw new Error('the connection was closed before an answer');
      heard = Buffer.concat([heard, piece]);
      const end = heard.indexOf(END_OF_HEAD);
      if (end < 0 && heard.length <= LONGEST_HEAD) continue;
      const head = end < 0 ? undefined : parseHead(heard.toString('latin1', 0, end));
      if (head === undefined) return undefined;
      const body = new DirectBody(this.#stream, heard.subarray(end + END_OF_HEAD.length), head.length);
      return { ...head, body };
    }
  }

  /** Ends the connection. @param error what is thrown from now on */
  destroy(error?: Error): void {
    this.#stream.destroy(error);
  }
}

/** As many bytes as were told. */
class DirectBody implements BodyStream {
  readonly length: number;
  readonly #stream: DirectStream;
  readonly #first: Buffer;
  #left: number;

  constructor(stream: DirectStream, first: Buffer, length: number) {
    this.length = length;
    this.#stream = stream;
    this.#first = first;
    this.#left = length;
  }

  get complete(): boolean {
    return this.#left === 0;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (let piece: Buffer | undefined = this.#first; this.#left > 0; piece = await this.#stream.next()) {
      if (piece === undefined)
        throw new Error(`the connection was closed ${this.#left} bytes before the end`);
      const part = piece.subarray(0, this.#left);
      this.#left -= part.length;
      if (part.length > 0) yield part;
    }
    this.#stream.destroy();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

function connectTo(url: URL, secureContext: SecureContext | undefined, onread: OnReadOpts): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (secureContext === undefined ? 80 : 443));
  if (secureContext === undefined) return netConnect({ host, port, onread });
  // A name is told and checked; an address is checked alone.
  const servername = isIP(host) === 0 ? host : '';
  const options = { host, port, servername, secureContext, ALPNProtocols: ['http/1.1'], onread };
  return tlsConnect(options);
}

function whenConnected(socket: Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed before it was made')));
  });
}
