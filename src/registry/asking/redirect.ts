import { CalveError } from '../../errors/index.ts';
import { isLoopback } from '../http/is-loopback.ts';
import type { HttpResponse } from '../http/message.ts';

/** Redirects in a row, past which somebody is sending this side in circles. */
export const MOST_REDIRECTS = 5;

const ANY_METHOD = new Set([307, 308]);
const READING = new Set([301, 302, 303, 307, 308]);

/** Whether an answer sends a request elsewhere, by its status. What writes is sent elsewhere only by 307 and 308. */
export function isRedirect(status: number, method: string): boolean {
  return (method === 'GET' || method === 'HEAD' ? READING : ANY_METHOD).has(status);
}

/**
 * Where an answer's Location points: relative or absolute, with its query.
 * @throws CalveError `invalid` when there is none, when it is not HTTP, and when it leads from TLS to plain text
 */
export function locationOf(
  { headers, url }: Pick<HttpResponse, 'headers' | 'url'>,
  where: string,
  plainHttp: boolean,
): URL {
  const { location } = headers;
  const target = location === undefined ? null : URL.parse(location, url.href);
  if (!target || (target.protocol !== 'https:' && target.protocol !== 'http:')) {
    throw new CalveError('invalid', `${where}: expected a Location that is an HTTP URL`);
  }
  target.username = '';
  target.password = '';
  target.hash = '';
  if (target.protocol === 'http:' && url.protocol === 'https:') {
    // A registry behind a proxy that ends TLS often does not know that it is spoken to in TLS.
    if (target.hostname === url.hostname) {
      const port = target.port === '' || target.port === url.port ? url.port : target.port;
      target.protocol = 'https:';
      target.port = port;
    } else if (!plainHttp && !isLoopback(target)) {
      throw new CalveError('invalid', `${where}: it leads to ${target.host} in plain HTTP, which is refused`);
    }
  }
  return target;
}
