import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { CalveError } from '../../errors/index.ts';
import { statFile } from '../../host/index.ts';
import { formatReference, parseReference, type RegistryReference } from '../../registry/index.ts';

/** Where versions are kept elsewhere. */
export type RemoteName =
  | { readonly kind: 'registry'; readonly text: string; readonly reference: RegistryReference }
  /** Another store, or any OCI image layout. `ref` is null where none was said. */
  | { readonly kind: 'folder'; readonly text: string; readonly folder: string; readonly ref: string | null };

/** skopeo's ways to name the two. */
const LAYOUT = 'oci:';
const REGISTRY = 'docker://';

/**
 * Understands what a person calls a remote: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]` (also after `docker://`), a folder
 * that is written as a path (`/srv/store`, `./store`, `~/store`) or after `oci:`, with `:REF` behind it or not.
 *
 * @throws CalveError `usage`, saying what a remote looks like
 */
export function parseRemote(text: string): RemoteName {
  if (text.startsWith(LAYOUT)) return folderRemote(text, text.slice(LAYOUT.length));
  if (/^(?:\.{0,2}\/|~\/|\.{1,2}$)/.test(text)) return folderRemote(text, text);
  const said = text.startsWith(REGISTRY) ? text.slice(REGISTRY.length) : text;
  try {
    const reference = parseReference(said);
    return { kind: 'registry', text: formatReference(reference), reference };
  } catch (error) {
    if (!CalveError.is(error, 'usage')) throw error;
    const isFolder = statFile(text)?.kind === 'folder';
    throw new CalveError('usage', `remote ${error.message}`, {
      hint: isFolder
        ? `the folder is ./${text}`
        : 'a remote is HOST/REPOSITORY:TAG, or the folder of another store: /srv/store, ./store, oci:store',
      cause: error,
    });
  }
}

/** A colon may belong to the folder's name: the first one behind which is a ref and before which is a folder counts. */
function folderRemote(text: string, path: string): RemoteName {
  const expanded = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  const at = (end: number): RemoteName => {
    const ref = expanded.slice(end + 1);
    const folder = resolve(expanded.slice(0, end));
    return { kind: 'folder', text, folder, ref: ref === '' ? null : ref };
  };
  if (path === '') throw new CalveError('usage', `remote ${text}: expected a folder`);
  if (statFile(expanded) !== undefined) return at(expanded.length);
  const colons = [...expanded.matchAll(/:/g)].map(({ index }) => index);
  const known = colons.find((colon) => statFile(expanded.slice(0, colon))?.kind === 'folder');
  // Of a folder that is yet to be made, the name has no colon.
  const first = colons.find((colon) => colon > expanded.lastIndexOf('/', expanded.indexOf(':')));
  return at(known ?? first ?? expanded.length);
}
