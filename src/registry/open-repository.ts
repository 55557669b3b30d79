import { RegistryHost } from './asking/registry-host.ts';
import type { RegistryOptions } from './options.ts';
import { parseReference, type RegistryReference } from './reference.ts';
import { Repository } from './repository.ts';

/**
 * Opens a repository of a registry that speaks distribution-spec 1.1. Nothing is asked of it yet.
 *
 * @param reference `HOST[:PORT]/REPOSITORY`; a tag or a digest behind it is of no matter here
 * @throws CalveError `usage`
 * @example
 * await using repository = openRepository('registry.example/team/debian');
 * const { digest } = await repository.manifests.get('12');
 */
export function openRepository(
  reference: string | RegistryReference,
  options: RegistryOptions = {},
): Repository {
  const { host, repository } = typeof reference === 'string' ? parseReference(reference) : reference;
  return new Repository(new RegistryHost(host, repository, options), repository);
}
