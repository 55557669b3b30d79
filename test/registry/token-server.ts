import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyOf, httpServer, type TestServer } from './http-server.ts';

export interface TokenServer extends TestServer {
  /** What was asked: method, the query or the form, and the Authorization header. */
  readonly asked: {
    readonly method: string;
    readonly words: URLSearchParams;
    readonly authorization: string | undefined;
  }[];
  /** Lets in who has a token for the scope that a request needs; a registry's `guard`. */
  readonly guard: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** No token that was given out until now serves any more. */
  expire(): void;
}

export interface TokenServerOptions {
  /** Whom it gives tokens to: a name and password, or a refresh token; nobody's name for all. */
  readonly user?: { readonly username: string; readonly password: string };
  readonly refreshToken?: string;
  /** What it answers, besides the token. */
  readonly extra?: Record<string, unknown>;
  /** Where challenges say that it is, when it is to be reached by another way. */
  readonly url?: () => string;
  /** The member that the token is in (`token`). */
  readonly member?: string;
}

/** Gives out tokens as registries want them (distribution, Token Authentication Specification). */
export async function tokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const asked: TokenServer['asked'] = [];
  /** Each token with the scopes that it is for. */
  const tokens = new Map<string, readonly string[]>();
  const server = await httpServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const words =
      request.method === 'POST' ? new URLSearchParams((await bodyOf(request)).toString()) : url.searchParams;
    const { authorization } = request.headers;
    asked.push({ method: request.method ?? '', words, authorization });
    if (!isKnown(words, authorization)) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: `not ${authorization}` }] }));
      return;
    }
    const token = `token-${asked.length}`;
    tokens.set(
      token,
      words.getAll('scope').flatMap((scope) => scope.split(' ')),
    );
    response.writeHead(200).end(JSON.stringify({ [options.member ?? 'token']: token, ...options.extra }));
  });

  function isKnown(words: URLSearchParams, authorization: string | undefined): boolean {
    const { user, refreshToken } = options;
    if (refreshToken !== undefined) {
      return words.get('grant_type') === 'refresh_token' && words.get('refresh_token') === refreshToken;
    }
    if (!user) return authorization === undefined;
    const { username, password } = user;
    return authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  return Object.assign(server, {
    asked,
    expire: () => tokens.clear(),
    guard(request: IncomingMessage, response: ServerResponse) {
      const repository = /^\/v2\/(.+?)\/(?:blobs|manifests|tags)\//.exec(request.url ?? '')?.[1];
      const actions = request.method === 'GET' || request.method === 'HEAD' ? ['pull'] : ['pull', 'push'];
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const mayDo = (scope: string) =>
        actions.every((action) => scope.startsWith(`repository:${repository}:`) && scope.includes(action));
      const scopes = tokens.get(token);
      if (scopes && (repository === undefined || scopes.some(mayDo))) return true;
      const scope = repository === undefined ? '' : `,scope="repository:${repository}:${actions.join(',')}"`;
      const challenge = `Bearer realm="${options.url?.() ?? server.url}/token?x=1",service="a test"${scope},error="insufficient_scope"`;
      response.writeHead(401, { 'www-authenticate': ['Basic realm="no"', challenge] });
      response.end(
        JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }),
      );
      return false;
    },
  });
}
