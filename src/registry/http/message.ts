import type { IncomingHttpHeaders } from 'node:http';
import type { ResponseBody } from './response-body.ts';

/** A body of known length, which can be sent more than once. */
export interface RequestBody {
  /** Bytes. */
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
  /** Told of bytes that were handed to the kernel. */
  readonly onSent?: ((count: number) => void) | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /** Whether so much is to come that a connection of its own is worth it, on which more is read at a time. */
  readonly expectsMuch?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Each WWW-Authenticate header by itself. */
  readonly challenges: readonly string[];
  readonly url: URL;
  readonly body: ResponseBody;
}
