import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { TLSSocket } from 'node:tls';
import { CalveError, errnoOf } from '../../errors/index.ts';
import type { RegistryLimits } from '../options.ts';
import type { BodyStream } from './body-stream.ts';
import { DirectGet } from './direct-get.ts';
import { aborted, ExchangeWatch } from './exchange-watch.ts';
import { isLoopback } from './is-loopback.ts';
import type { HttpRequest, HttpResponse } from './message.ts';
import { networkError } from './network-error.ts';
import { ResponseBody } from './response-body.ts';
import { sendBody } from './send-body.ts';
import { secureContextFor } from './trust.ts';

/** A kept connection that the other side had closed in the meantime: that is no failure, and there are only so many of them. */
const STALE = Symbol('stale');
/** Where there is one, whether it is for this host is for Node.js to find out. */
const PROXIES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];
const STALE_ERRNOS = new Set(['ECONNRESET', 'EPIPE']);

/** What a transport needs to know. */
export interface TransportSettings {
  readonly limits: RegistryLimits;
  readonly caFile: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * HTTP/1.1 over kept connections: one request, one answer, with times after which the other side counts as dead.
 * Redirects, statuses and what is to be tried again are the caller's.
 */
export class Transport implements AsyncDisposable {
  readonly #settings: TransportSettings;
  readonly #agents = new Map<string, Promise<HttpAgent | HttpsAgent>>();
  readonly #reached = new Set<string>();
  /** Hosts whose answers were found to be none that can be read straight from a connection. */
  readonly #others = new Set<string>();
  #closed = false;

  constructor(settings: TransportSettings) {
    this.#settings = settings;
  }

  /**
   * Sends a request; resolves when the answer's headers are there, though the body be not sent to its end by then.
   * @throws CalveError `io` (`data.temporary` says whether another try makes sense), `denied` for a certificate that is not
   * trusted, `invalid` where no TLS is spoken, `aborted`, and what the body throws
   */
  async send(asked: HttpRequest): Promise<HttpResponse> {
    if (asked.expectsMuch === true && this.#canAskDirectly(asked)) {
      const answer = await this.#askDirectly(asked);
      if (answer !== undefined) return answer;
      this.#others.add(asked.url.host);
    }
    for (;;) {
      const answer = await this.#sendOnce(asked, await this.#agentFor(asked.url));
      if (answer !== STALE) return answer;
    }
  }

  async #sendOnce(asked: HttpRequest, agent: HttpAgent | HttpsAgent): Promise<HttpResponse | typeof STALE> {
    const { url, signal, body, method } = asked;
    if (signal?.aborted) throw aborted(url, signal);
    const { connectMs, stallMs, answerMs } = this.#settings.limits;
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent,
      headers: { ...asked.headers, ...(body && { 'content-length': String(body.length) }) },
    });
    const watch = new ExchangeWatch(url, signal, (error) => request.destroy(error));
    let failure: unknown;
    let unsendable = false;
    request.on('error', (error) => (failure ??= error));
    // A response that is cut off has an error of its own, which says less than why this side cut it off.
    const explain = (error: unknown) => this.#explain(url, failure instanceof CalveError ? failure : error);

    watch.deadline.set(connectMs);
    whenConnected(request, () => watch.deadline.set(body ? stallMs : answerMs));
    try {
      const answer = answerTo(request);
      if (body) {
        // What fails there is what is sent: the connection's own failures come with the answer.
        await sendBody(request, body, answer, () => watch.deadline.set(stallMs)).catch((error: unknown) => {
          unsendable = true;
          throw error;
        });
        watch.deadline.set(answerMs);
      } else request.end();
      const message = await answer;
      watch.deadline.clear();
      this.#reached.add(url.host);
      return {
        status: message.statusCode ?? 0,
        headers: message.headers,
        challenges: message.headersDistinct['www-authenticate'] ?? [],
        url,
        body: new ResponseBody(messageBody(message), watch.deadline, stallMs, explain, () => {
          watch.end();
          // An answer may come before all was sent: nothing else can be asked on that connection.
          if (!request.writableFinished) request.destroy();
        }),
      };
    } catch (error) {
      watch.end();
      request.destroy();
      if (unsendable) throw error;
      const isStale = request.reusedSocket && STALE_ERRNOS.has(errnoOf(error) ?? '');
      // What sends something may have arrived: whoever asked finds out how much of it.
      if (isStale && (body === undefined || body.length === 0)) return STALE;
      throw explain(error);
    }
  }

  /** Asks on a connection of its own; undefined when the answer is none that can be read from there. */
  async #askDirectly({ url, headers, signal }: HttpRequest): Promise<HttpResponse | undefined> {
    if (signal?.aborted) throw aborted(url, signal);
    const { connectMs, stallMs, answerMs } = this.#settings.limits;
    const agent = await this.#agentFor(url);
    const get = new DirectGet(url, agent instanceof HttpsAgent ? agent.options.secureContext : undefined);
    const watch = new ExchangeWatch(url, signal, (error) => get.destroy(error));
    const explain = (error: unknown) => this.#explain(url, error);
    try {
      watch.deadline.set(connectMs);
      await get.connected();
      watch.deadline.set(answerMs);
      const answer = await get.ask(headers);
      watch.deadline.clear();
      if (answer !== undefined) {
        this.#reached.add(url.host);
        const body = new ResponseBody(answer.body, watch.deadline, stallMs, explain, () => watch.end());
        return { status: answer.status, headers: answer.headers, challenges: answer.challenges, url, body };
      }
    } catch (error) {
      watch.end();
      get.destroy();
      throw explain(error);
    }
    watch.end();
    get.destroy();
    return undefined;
  }

  #explain(url: URL, error: unknown): CalveError {
    return networkError(url.host, error, this.#reached.has(url.host));
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const agent of await Promise.allSettled(this.#agents.values())) {
      if (agent.status === 'fulfilled') agent.value.destroy();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** No proxy is asked, and nothing is in a header that Node.js would refuse to send. */
  #canAskDirectly({ method, body, url, headers }: HttpRequest): boolean {
    const { env } = this.#settings;
    const isProxied = !isLoopback(url) && PROXIES.some((name) => (env[name] ?? '') !== '');
    const isPlain = Object.values(headers).every((value) => /^[\t\x20-\x7e]*$/.test(value));
    return method === 'GET' && body === undefined && !this.#others.has(url.host) && !isProxied && isPlain;
  }

  #agentFor(url: URL): Promise<HttpAgent | HttpsAgent> {
    if (this.#closed) throw new CalveError('closed', `${url.host}: the repository was closed before`);
    const known = this.#agents.get(url.origin);
    if (known) return known;
    const made = this.#makeAgent(url);
    this.#agents.set(url.origin, made);
    return made;
  }

  async #makeAgent(url: URL): Promise<HttpAgent | HttpsAgent> {
    // As everywhere: what is on this machine is not asked for of a proxy, whatever NO_PROXY says.
    const options = { keepAlive: true, ...(!isLoopback(url) && { proxyEnv: this.#settings.env }) };
    if (url.protocol === 'http:') return new HttpAgent(options);
    return new HttpsAgent({
      ...options,
      secureContext: await secureContextFor(url.host, this.#settings.caFile, this.#settings.env),
    });
  }
}

function messageBody(message: IncomingMessage): BodyStream {
  const length = Number(message.headers['content-length'] ?? Number.NaN);
  return {
    length: Number.isNaN(length) ? undefined : length,
    get complete() {
      return message.complete;
    },
    destroy: () => void message.destroy(),
    [Symbol.asyncIterator]: () => message[Symbol.asyncIterator](),
  };
}

/** The answer, or why there is none. Nothing is unhandled when nobody awaits it. */
function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve);
  request.once('error', reject);
  request.once('close', () => reject(new Error('the connection was closed before an answer')));
  promise.catch(() => {});
  return promise;
}

function whenConnected(request: ClientRequest, then: () => void): void {
  request.once('socket', (socket) => {
    if (!socket.connecting && !(socket instanceof TLSSocket && !socket.authorized && !socket.getProtocol())) {
      then();
    } else {
      socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', then);
    }
  });
}
