import { CalveError } from '../../errors/index.ts';
import type { Ask, RegistryHost } from '../asking/registry-host.ts';
import type { HttpResponse } from '../http/message.ts';
import { nextPage } from './link-header.ts';

/** Bytes of one page: names of a thousand tags take a tenth of it. */
const MOST_OF_PAGE = 4 << 20;
/** Pages of one listing, past which it is taken for endless. */
const MOST_PAGES = 10_000;

export interface Page {
  readonly response: HttpResponse;
  readonly text: string;
}

/**
 * The pages of a listing, one after the other.
 * @throws CalveError `invalid` for a listing that leads in circles, or to another host
 */
export async function* pages(host: RegistryHost, first: Ask): AsyncGenerator<Page> {
  const seen = new Set<string>();
  for (let to: string | URL = first.to; ; ) {
    const response = await host.persistently({ ...first, to });
    const text = (await response.body.bytes(MOST_OF_PAGE, `${host.where}: ${first.what}`)).toString();
    yield { response, text };
    const next = nextPage([response.headers['link'] ?? []].flat().join(', '));
    if (next === undefined) return;
    const url = URL.parse(next, response.url.href);
    seen.add(response.url.href);
    if (url?.host !== response.url.host || seen.has(url.href) || seen.size > MOST_PAGES) {
      throw new CalveError(
        'invalid',
        `${host.where}: ${first.what}: expected a further page, got ${JSON.stringify(next)}`,
      );
    }
    // Its path and query alone: how the registry is spoken to was decided before.
    to = `${url.pathname}${url.search}`;
  }
}
