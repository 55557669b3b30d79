import { CalveError } from '../../errors/index.ts';
import { openRepository } from '../../registry/index.ts';
import type { RemoteOptions } from '../options.ts';
import { openLayoutSource } from './layout-source.ts';
import { openRegistrySource } from './registry-source.ts';
import type { RemoteName } from './remote-name.ts';
import type { VersionSource } from './version-source.ts';

/**
 * Opens what a remote has under a name.
 * @param ref what is wanted of another store that was named without a ref
 * @throws CalveError `not-found`; `unsupported` for what is no version; `usage`; as speaking to a registry does
 */
export async function openSource(
  remote: RemoteName,
  ref: string | null,
  { registry, signal }: RemoteOptions,
): Promise<VersionSource> {
  if (remote.kind === 'folder') {
    const wanted = remote.ref ?? ref;
    if (wanted === null) {
      throw new CalveError('usage', `remote ${remote.text}: which of its versions?`, {
        hint: `calve pull ${remote.text}:REF`,
      });
    }
    return openLayoutSource(remote.folder, wanted);
  }
  await using cleanup = new AsyncDisposableStack();
  const repository = cleanup.use(openRepository(remote.reference, registry));
  const source = await openRegistrySource(repository, remote.reference, { signal });
  cleanup.move();
  return source;
}
