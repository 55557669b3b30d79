import { STATUS_CODES } from 'node:http';
import * as v from 'valibot';
import { CalveError, type ErrorCode } from '../../errors/index.ts';
import type { HttpResponse } from '../http/message.ts';
import { redact } from './redact.ts';
import { retryAfter } from './retry-after.ts';

/** distribution-spec 1.1, Error Codes: a JSON object in the body. */
const errorsSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.looseObject({
    errors: v.array(v.looseObject({ code: v.optional(v.string()), message: v.optional(v.string()) })),
  }),
);
const MOST_OF_BODY = 16 * 1024;

/** Statuses that may go away by themselves. */
const TEMPORARY = new Set([408, 425, 429, 500, 502, 503, 504]);
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'denied',
  403: 'denied',
  404: 'not-found',
  405: 'unsupported',
  413: 'out-of-range',
  416: 'out-of-range',
  501: 'unsupported',
};

/** Of whom something was asked, and what. */
export interface Asked {
  readonly registry: string;
  readonly repository: string | undefined;
  /** What was done, for people: `blob sha256:…`. */
  readonly what: string;
  /** What must not be seen. */
  readonly secrets: Iterable<string>;
}

/**
 * The error that an answer means. Its data tell `registry`, `repository`, `status`, `registryCode` and `registryMessage`
 * (the registry's own), `temporary`, and `retryAfter` (milliseconds) where that was said. Reads the body.
 */
export async function responseError(response: HttpResponse, asked: Asked): Promise<CalveError> {
  const { status } = response;
  const { registry, repository, what } = asked;
  const own = v.safeParse(errorsSchema, await response.body.beginning(MOST_OF_BODY));
  const first = own.success ? own.output.errors[0] : undefined;
  const registryCode = first?.code === undefined ? undefined : redact(first.code, asked.secrets);
  const registryMessage = first?.message === undefined ? undefined : redact(first.message, asked.secrets);
  const said = [registryCode, registryMessage].filter((part) => part !== undefined && part !== '');
  const where = repository === undefined ? registry : `${registry}/${repository}`;
  const words = said.length > 0 ? `: ${said.join(': ')}` : '';
  const delay = retryAfter(response.headers['retry-after'], Date.now());
  const hint = hintFor(status, registry);
  return new CalveError(
    codeOf(status, registryCode),
    `${where}: ${what}: got status ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd() + words,
    {
      ...(hint !== undefined && { hint }),
      data: {
        registry,
        ...(repository !== undefined && { repository }),
        status,
        ...(registryCode !== undefined && { registryCode }),
        ...(registryMessage !== undefined && { registryMessage }),
        temporary: TEMPORARY.has(status),
        ...(delay !== undefined && { retryAfter: delay }),
      },
    },
  );
}

function codeOf(status: number, registryCode: string | undefined): ErrorCode {
  if (registryCode === 'DIGEST_INVALID') return 'changed';
  if (registryCode === 'UNSUPPORTED') return 'unsupported';
  return CODES[status] ?? 'io';
}

function hintFor(status: number, registry: string): string | undefined {
  if (status === 401 || status === 403) return `calve login ${registry}`;
  if (status === 413) return 'the registry or a proxy before it takes no blob of this size';
  return status === 429 ? 'the registry limits how often it is asked: try again later' : undefined;
}
