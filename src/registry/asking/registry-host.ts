import { CalveError } from '../../errors/index.ts';
import { Authorizer } from '../auth/authorizer.ts';
import { findCredentials } from '../auth/find-credentials.ts';
import { isLoopback } from '../http/is-loopback.ts';
import type { HttpRequest, HttpResponse, RequestBody } from '../http/message.ts';
import { Transport } from '../http/transport.ts';
import { limitsOf, type RegistryOptions } from '../options.ts';
import { persistently } from './backoff.ts';
import { isRedirect, locationOf, MOST_REDIRECTS } from './redirect.ts';
import { responseError } from './response-error.ts';
import { unlessAborted } from './unless-aborted.ts';

/** docker.io is the name of a registry that answers elsewhere. */
const DOCKER_HUB_API = 'registry-1.docker.io';

/** Something that is asked of a registry. */
export interface Ask {
  readonly method: HttpRequest['method'];
  /** A path that begins with `/v2/`, or where an earlier answer said to go on. */
  readonly to: string | URL;
  /** What a token has to allow. */
  readonly scopes: readonly string[];
  /** Statuses that are answers; all others are errors. */
  readonly expect: readonly number[];
  /** What is done, for people. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  readonly expectsMuch?: HttpRequest['expectsMuch'];
  readonly signal?: AbortSignal | undefined;
}

/** A registry as something that questions are put to: addresses, authentication, redirects, and errors that are typed. */
export class RegistryHost implements AsyncDisposable {
  readonly host: string;
  readonly repository: string | undefined;
  readonly options: RegistryOptions;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  #base: Promise<URL> | undefined;
  #isPlain = false;

  /** @param repository what is used of it, for messages and for credentials of a part of a registry */
  constructor(host: string, repository: string | undefined, options: RegistryOptions) {
    this.host = host;
    this.repository = repository;
    this.options = options;
    const { env = process.env, authFile, credentials, caFile } = options;
    this.#transport = new Transport({ limits: limitsOf(options), caFile, env });
    this.#authorizer = new Authorizer({
      host,
      plainHttp: () => this.#isPlain,
      credentials: async () => credentials ?? (await findCredentials(host, repository, { authFile, env })),
      send: (request) => this.#transport.send(request),
    });
  }

  /** How messages call it. */
  get where(): string {
    return this.repository === undefined ? this.host : `${this.host}/${this.repository}`;
  }

  /**
   * Asks once; the caller reads the body or discards it. A refusal for want of a token, or for an old one, is answered with
   * a new one, once; redirects are followed, and no other host ever gets to see the registry's Authorization.
   * @throws CalveError by the answer's status, with `data.temporary`; as sending does
   */
  async ask(ask: Ask): Promise<HttpResponse> {
    const base = await this.#findBase(ask.signal);
    let url = new URL(ask.to, base);
    let redirects = 0;
    // Once a request was led away it stays without: else another host could choose what the registry is asked.
    let isOwn = true;
    for (let isFresh = false; ; ) {
      isOwn &&= url.origin === base.origin;
      const authorization = isOwn
        ? await unlessAborted(this.#authorizer.header(ask.scopes), ask.signal)
        : undefined;
      const response = await this.#transport.send({
        ...ask,
        url,
        headers: {
          'user-agent': 'calve',
          // Digests are of the bytes themselves.
          'accept-encoding': 'identity',
          ...ask.headers,
          ...(authorization !== undefined && { authorization }),
        },
      });
      if (ask.expect.includes(response.status)) return response;
      if (isRedirect(response.status, ask.method)) {
        await response.body.discard();
        redirects += 1;
        if (redirects > MOST_REDIRECTS) throw this.#tooManyRedirects(ask);
        url = this.location(response);
        continue;
      }
      const error = await this.#errorOf(response, ask, redirects > 0 && !isOwn);
      if (response.status !== 401 || !isOwn || isFresh) throw error;
      isFresh = true;
      const refused = this.#authorizer.refused(response.challenges, ask.scopes, authorization);
      if (!(await unlessAborted(refused, ask.signal))) throw error;
    }
  }

  /** As `ask`, and again while it fails for the time being. */
  persistently(ask: Ask): Promise<HttpResponse> {
    return persistently(this.options, ask.signal, () => this.ask(ask));
  }

  /**
   * Where an answer says to go on.
   * @throws CalveError `invalid`
   */
  location(response: HttpResponse): URL {
    return locationOf(response, this.where, this.#isPlain);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #errorOf(response: HttpResponse, ask: Ask, isElsewhere: boolean): Promise<CalveError> {
    const error = await responseError(response, {
      registry: this.host,
      repository: this.repository,
      what: ask.what,
      secrets: this.#authorizer.secrets,
    });
    if (!isElsewhere) return error;
    // A signed address that has expired: the registry signs another one when it is asked again.
    return new CalveError('io', `${error.message} (from ${response.url.host}, where the registry leads)`, {
      data: { ...error.data, temporary: true },
    });
  }

  #tooManyRedirects(ask: Ask): CalveError {
    return new CalveError(
      'invalid',
      `${this.where}: ${ask.what}: expected at most ${MOST_REDIRECTS} redirects`,
      {
        data: { registry: this.host, temporary: false },
      },
    );
  }

  /** Found once, unless it cannot be. */
  #findBase(signal: AbortSignal | undefined): Promise<URL> {
    if (this.#base === undefined) {
      const finding = persistently(this.options, undefined, () => this.#probe());
      this.#base = finding;
      finding.catch(() => {
        this.#base = undefined;
      });
    }
    // Others may wait for it too: who gives up does not end it.
    return unlessAborted(this.#base, signal);
  }

  /** HTTPS, unless plain HTTP was said, or a registry on this machine knows nothing else. */
  async #probe(): Promise<URL> {
    const name = this.host === 'docker.io' ? DOCKER_HUB_API : this.host;
    const secure = new URL(`https://${name}/`);
    const plain = new URL(`http://${name}/`);
    const { plainHttp } = this.options;
    if (plainHttp !== true && (plainHttp === false || !isLoopback(secure))) return secure;
    if (plainHttp === undefined) {
      try {
        const url = new URL('/v2/', secure);
        const response = await this.#transport.send({ method: 'GET', url, headers: {} });
        await response.body.discard();
        return secure;
      } catch (error) {
        if (!CalveError.is(error, 'invalid') || error.data['speaksTls'] !== false) throw error;
      }
    }
    this.#isPlain = true;
    return plain;
  }
}
