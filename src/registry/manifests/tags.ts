import * as v from 'valibot';
import { parseDocument } from '../../oci/index.ts';
import type { RegistryHost } from '../asking/registry-host.ts';
import { pullScope } from '../auth/scopes.ts';
import { isTag } from '../reference.ts';
import { pages } from './pages.ts';

/** distribution-spec 1.1, Listing Tags. Some write null for none. */
const schema = v.looseObject({ tags: v.nullish(v.array(v.string())) });
const A_PAGE = 1000;

/**
 * The tags of a repository in the registry's order, as pages of them arrive. Names that no tag can have are left out.
 * @throws CalveError `not-found` when there is no such repository; `corrupt`, `invalid` for an answer that is none
 */
export async function* listTags(
  host: RegistryHost,
  repository: string,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const ask = {
    method: 'GET',
    to: `/v2/${repository}/tags/list?n=${A_PAGE}`,
    scopes: [pullScope(repository)],
    expect: [200],
    what: 'listing tags',
    headers: { accept: 'application/json' },
    signal,
  } as const;
  for await (const { text } of pages(host, ask)) {
    yield* (parseDocument(text, schema, `${host.where}: tags`).tags ?? []).filter(isTag);
  }
}
