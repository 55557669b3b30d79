import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { basicAuth, type Credentials, secretsOf } from './credentials.ts';
import { fetchToken, realmOf, type Token } from './fetch-token.ts';

/** Milliseconds before its end in which a token is not used any more: what is sent with it takes a while to arrive. */
const MARGIN_MS = 10_000;

/** What an authorizer needs. */
export interface AuthorizerSettings {
  readonly host: string;
  /** Whether tokens may be asked for in plain HTTP. */
  readonly plainHttp: () => boolean;
  /** Looks the credentials up; asked once, and not before a registry wants any. */
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
}

/**
 * What stands in the Authorization header of requests to one registry. What the registry wants is learnt from its first
 * refusal; tokens are kept until they expire, each for what it is for, and asked for once however many requests need one.
 */
export class Authorizer {
  readonly #settings: AuthorizerSettings;
  readonly #tokens = new Map<string, Promise<Token>>();
  /** What the registry's own words for some scopes are: mostly the same. */
  readonly #named = new Map<string, readonly string[]>();
  readonly #secrets = new Set<string>();
  #credentials: Promise<Credentials | undefined> | undefined;
  #challenge: Challenge | undefined;

  constructor(settings: AuthorizerSettings) {
    this.#settings = settings;
  }

  /** What must not be seen by anybody, so far. */
  get secrets(): Iterable<string> {
    return this.#secrets;
  }

  /**
   * The header for a request; undefined where nothing was asked for yet, or nobody is known.
   * @param scopes what the request needs: `repository:NAME:pull`
   * @throws CalveError as `fetchToken`, and what looking up credentials does
   */
  async header(scopes: readonly string[]): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined;
    if (this.#challenge.scheme === 'bearer')
      return `Bearer ${(await this.#token(this.#challenge, scopes)).value}`;
    const credentials = await this.#lookUp();
    return credentials && 'username' in credentials
      ? `Basic ${basicAuth(credentials.username, credentials.password)}`
      : undefined;
  }

  /**
   * Takes note of a refusal (401).
   * @param rejected the header that the request had
   * @returns whether `header` will give another one
   */
  async refused(
    challenges: readonly string[],
    scopes: readonly string[],
    rejected: string | undefined,
  ): Promise<boolean> {
    const offered = parseChallenges(challenges);
    const challenge = ['bearer', 'basic'].flatMap(
      (scheme) => offered.find((each) => each.scheme === scheme) ?? [],
    )[0];
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    if (challenge.scheme === 'bearer') {
      const key = keyOf(scopes);
      this.#named.set(key, challenge.parameters.get('scope')?.split(' ') ?? []);
      // It expired early, or was for less; unless somebody else has got a new one in the meantime.
      const known = await this.#tokens.get(key)?.catch(() => undefined);
      if (known === undefined || `Bearer ${known.value}` === rejected) this.#tokens.delete(key);
    }
    return (await this.header(scopes)) !== rejected;
  }

  async #token(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    const credentials = await this.#lookUp();
    if (credentials && 'registryToken' in credentials) {
      return { value: credentials.registryToken, expires: Number.POSITIVE_INFINITY };
    }
    const key = keyOf(scopes);
    const known = this.#tokens.get(key);
    if (known && (await known).expires - MARGIN_MS > Date.now()) return await known;
    // Whoever came first while this waited has begun to ask.
    const begun = this.#tokens.get(key);
    if (begun && begun !== known) return await begun;
    const token = this.#ask(challenge, scopes, credentials);
    this.#tokens.set(key, token);
    // A failure is told to those who wait for it; the next request asks anew.
    token.catch(() => this.#tokens.get(key) === token && this.#tokens.delete(key));
    return await token;
  }

  async #ask(
    challenge: Challenge,
    scopes: readonly string[],
    credentials: Credentials | undefined,
  ): Promise<Token> {
    const { host, plainHttp, send } = this.#settings;
    const token = await fetchToken({
      host,
      realm: realmOf(challenge.parameters.get('realm'), host, plainHttp()),
      service: challenge.parameters.get('service'),
      scopes: [...new Set([...scopes, ...(this.#named.get(keyOf(scopes)) ?? [])])],
      credentials,
      send,
      secrets: this.#secrets,
    });
    this.#secrets.add(token.value);
    return token;
  }

  #lookUp(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#settings.credentials().then((credentials) => {
      for (const secret of credentials ? secretsOf(credentials) : []) this.#secrets.add(secret);
      return credentials;
    });
    return this.#credentials;
  }
}

function keyOf(scopes: readonly string[]): string {
  return [...scopes].sort().join(' ');
}
