import { once } from 'node:events';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { httpServer, type TestServer } from './http-server.ts';

/** What goes wrong with one request. */
export interface Fault {
  /** The request is held back until then. */
  readonly until?: Promise<unknown>;
  /** Answered like this, without a word to the registry. */
  readonly answer?: {
    readonly status: number;
    readonly headers?: Record<string, string>;
    readonly body?: string;
  };
  /** The connection ends after so many bytes of the request's body. */
  readonly cutRequestAt?: number;
  /** The registry gets the request, and the connection ends before the answer. */
  readonly loseAnswer?: boolean;
  /** The connection ends after so many bytes of the answer's body. */
  readonly cutAnswerAt?: number;
  /** The answer's body ends there as if that were all, when its length is not told before. */
  readonly truncateAnswerAt?: number;
  /** Nothing comes any more after so many bytes of the answer's body. */
  readonly stallAnswerAt?: number;
  /** Nothing is read any more after so many bytes of the request's body. */
  readonly stallRequestAt?: number;
  /** A header of the request that does not arrive. */
  readonly forgetHeader?: string;
  /** Headers of the answer that are others; undefined takes one away. */
  readonly headers?: Record<string, string | undefined>;
  /** The answer's body becomes another. */
  readonly change?: (body: Buffer) => Buffer;
}

export interface FaultyRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Bytes of its body. */
  readonly length: number;
}

export interface FaultProxy extends TestServer {
  /** Bytes of bodies that came from the client, so far, and that went to it. */
  readonly received: () => number;
  readonly sent: () => number;
  /** What was asked, method and path. */
  readonly requests: FaultyRequest[];
}

/** Stands before a registry (plain HTTP), and lets go wrong what `plan` says of each request. */
export async function faultProxy(
  registry: string,
  plan: (request: FaultyRequest) => Fault | undefined,
): Promise<FaultProxy> {
  let [received, sent] = [0, 0];
  const requests: FaultyRequest[] = [];
  const server = await httpServer(async (request, response) => {
    const told: FaultyRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      length: Number(request.headers['content-length'] ?? 0),
    };
    requests.push(told);
    const { socket } = request;
    const fault = plan(told) ?? {};
    await fault.until;
    if (fault.answer) {
      const { status, headers, body = '' } = fault.answer;
      response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
      response.end(body);
      return;
    }
    const headers = { ...request.headers };
    if (fault.forgetHeader !== undefined) delete headers[fault.forgetHeader];
    const onward = httpRequest(`${registry}${told.path}`, { method: told.method, headers });
    const answered = once(onward, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => {});
    onward.on('error', () => socket.destroy());
    const cutAt = fault.cutRequestAt ?? fault.stallRequestAt ?? Number.POSITIVE_INFINITY;
    let come = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      const rest = piece.subarray(0, Math.max(0, cutAt - come));
      come += rest.length;
      received += rest.length;
      if (!onward.write(rest)) await once(onward, 'drain');
      if (come < cutAt) continue;
      if (fault.stallRequestAt !== undefined) return await once(socket, 'close').then(() => {});
      onward.destroy();
      socket.destroy();
      return;
    }
    onward.end();
    const [answer] = await answered;
    if (fault.loseAnswer === true) {
      answer.resume();
      socket.destroy();
      return;
    }
    await pass(answer, response, fault);
  });

  async function pass(answer: IncomingMessage, response: ServerResponse, fault: Fault): Promise<void> {
    const headers: Record<string, string | string[] | undefined> = { ...answer.headers, ...fault.headers };
    for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
    if (fault.truncateAnswerAt !== undefined) delete headers['content-length'];
    response.writeHead(answer.statusCode ?? 500, headers);
    response.flushHeaders();
    const end = Math.min(
      fault.cutAnswerAt ?? Number.POSITIVE_INFINITY,
      fault.stallAnswerAt ?? Number.POSITIVE_INFINITY,
      fault.truncateAnswerAt ?? Number.POSITIVE_INFINITY,
    );
    let gone = 0;
    for await (const piece of fault.change ? [fault.change(await all(answer))] : answer) {
      const rest = (piece as Buffer).subarray(0, Math.max(0, end - gone));
      gone += rest.length;
      sent += rest.length;
      if (rest.length > 0 && !response.write(rest)) {
        await drained(response);
      }
      if (response.destroyed) return;
      if (gone < end) continue;
      if (fault.truncateAnswerAt !== undefined) break;
      if (fault.stallAnswerAt !== undefined) {
        await once(response, 'close');
        return;
      }
      // What was written arrives before the end does.
      response.socket?.end();
      return;
    }
    response.end();
  }

  return Object.assign(server, { received: () => received, sent: () => sent, requests });
}

async function all(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Resolves when more can be written, or nothing any more. */
async function drained(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    over.abort();
  }
}
