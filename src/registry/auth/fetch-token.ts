import * as v from 'valibot';
import { CalveError } from '../../errors/index.ts';
import { responseError } from '../asking/response-error.ts';
import { isLoopback } from '../http/is-loopback.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { basicAuth, type Credentials } from './credentials.ts';

/** A token, and until when it serves. */
export interface Token {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** What a token is asked for. */
export interface TokenRequest {
  /** The registry's name, for messages. */
  readonly host: string;
  readonly realm: URL;
  readonly service: string | undefined;
  /** `repository:NAME:pull,push`, each by itself. */
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
  readonly secrets: Iterable<string>;
}

const MOST = 256 * 1024;
/** What a token is good for where nothing is said (distribution, Token Authentication Specification), and at least. */
const USUAL_SECONDS = 60;

const answerSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.looseObject({
    token: v.optional(v.string()),
    access_token: v.optional(v.string()),
    expires_in: v.optional(v.number()),
  }),
);

/**
 * Asks an authorization server for a token: by GET, with the name and password if there are any, or, for an identity token,
 * by OAuth2's POST (distribution, Token Authentication and OAuth2 Token Authentication).
 *
 * The whole answer is counted from when it was asked for: clocks differ, so `issued_at` is no help.
 * @throws CalveError `denied`; `invalid` when the answer holds no token; as sending does
 */
export async function fetchToken(request: TokenRequest): Promise<Token> {
  const asked = Date.now();
  const response = await request.send(httpRequestFor(request));
  const what = `asking ${request.realm.host} for a token`;
  if (response.status !== 200) {
    throw await responseError(response, {
      registry: request.host,
      repository: undefined,
      what,
      secrets: request.secrets,
    });
  }
  const text = (await response.body.bytes(MOST, `${request.host}: ${what}`)).toString();
  const parsed = v.safeParse(answerSchema, text);
  const value = parsed.success ? parsed.output.token || parsed.output.access_token : undefined;
  // What cannot stand in a header would be an error of Node.js that quotes it.
  if (!parsed.success || !value || !/^[\x21-\x7e]+$/.test(value)) {
    throw new CalveError('invalid', `${request.host}: ${what}: expected a JSON object with a token`);
  }
  const seconds = Math.max(USUAL_SECONDS, parsed.output.expires_in ?? USUAL_SECONDS);
  return { value, expires: asked + seconds * 1000 };
}

function httpRequestFor({ realm, service, scopes, credentials }: TokenRequest): HttpRequest {
  if (credentials && 'identityToken' in credentials) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'calve',
      refresh_token: credentials.identityToken,
      scope: scopes.join(' '),
      ...(service !== undefined && { service }),
    });
    const bytes = Buffer.from(form.toString());
    return {
      method: 'POST',
      url: realm,
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: {
        length: bytes.length,
        async *open() {
          yield bytes;
        },
      },
    };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const named = credentials && 'username' in credentials ? credentials : undefined;
  if (named) url.searchParams.set('account', named.username);
  return {
    method: 'GET',
    url,
    headers: {
      accept: 'application/json',
      ...(named && { authorization: `Basic ${basicAuth(named.username, named.password)}` }),
    },
  };
}

/**
 * Where a challenge says that tokens are had.
 * @throws CalveError `invalid`, also for plain HTTP to where the registry itself is not spoken to in that way
 */
export function realmOf(text: string | undefined, host: string, plainHttp: boolean): URL {
  const realm = URL.parse(text ?? '');
  if (!realm || (realm.protocol !== 'https:' && realm.protocol !== 'http:')) {
    throw new CalveError('invalid', `${host}: expected a Bearer challenge with a realm that is a URL`);
  }
  if (realm.protocol === 'http:' && !plainHttp && !isLoopback(realm)) {
    throw new CalveError(
      'invalid',
      `${host}: it sends passwords to ${realm.host} in plain HTTP, which is refused`,
    );
  }
  realm.username = '';
  realm.password = '';
  return realm;
}
