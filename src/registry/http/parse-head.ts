import type { IncomingHttpHeaders } from 'node:http';

/** The head of an answer: its status line and headers. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly challenges: readonly string[];
  /** Bytes of the body. */
  readonly length: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const HEADER =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/;
/** Answers that have no body, whatever their headers say. */
const BODYLESS = new Set([204, 205, 304]);

/**
 * The head of an answer whose body is as many bytes as one header says and is nothing but these (RFC 9112, 6.3); undefined for
 * whatever else an answer may be, which is left to Node.js.
 *
 * @param text up to its empty line, a byte a character
 */
export function parseHead(text: string): ResponseHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = Number(STATUS_LINE.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status) || BODYLESS.has(status)) return undefined;
  const headers: Record<string, string> = Object.create(null);
  const challenges: string[] = [];
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    if (key === 'www-authenticate') challenges.push(value);
    // Which of two counts is for a whole parser to say; cookies are nobody's here.
    else if (key in headers && key !== 'set-cookie') return undefined;
    else headers[key] = value;
  }
  const length = headers['content-length'] ?? '';
  if ('transfer-encoding' in headers || !/^\d{1,15}$/.test(length)) return undefined;
  return { status, headers, challenges, length: Number(length) };
}
