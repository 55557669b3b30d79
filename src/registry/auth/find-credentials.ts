import { CalveError } from '../../errors/index.ts';
import { type AuthDocument, type AuthEntry, readAuthDocument } from './auth-document.ts';
import { authKey, authKeys } from './auth-keys.ts';
import { type AuthPlaces, authFiles } from './auth-places.ts';
import { CredentialHelper } from './credential-helper.ts';
import type { Credentials } from './credentials.ts';

/**
 * The credentials that docker, podman, skopeo or calve stored for a registry; undefined when none did. In each file a
 * registry's own helper comes first, then what the file itself holds of it, then the helper for all.
 *
 * @param repository what is to be used of it: podman can keep credentials for a part of a registry
 * @throws CalveError `corrupt` for a file that is broken; `not-found`, `io` for a helper that is missing or fails
 */
export async function findCredentials(
  host: string,
  repository: string | undefined,
  places: AuthPlaces,
): Promise<Credentials | undefined> {
  for (const path of authFiles(places)) {
    const document = await readAuthDocument(path);
    const found = document && (await findIn(document, path, host, repository, places.env));
    if (found) return found;
  }
  return undefined;
}

async function findIn(
  document: AuthDocument,
  path: string,
  host: string,
  repository: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const own = document.credHelpers?.[authKey(host)] ?? document.credHelpers?.[host];
  if (own !== undefined) return await new CredentialHelper(own, env).get(authKey(host));
  for (const key of authKeys(host, repository)) {
    const entry = document.auths?.[key];
    // An empty entry is what docker leaves where a helper has the secret.
    const found = entry && credentialsOf(entry, `${path}: auths: ${key}`);
    if (found) return found;
  }
  const { credsStore } = document;
  return credsStore ? await new CredentialHelper(credsStore, env).get(authKey(host)) : undefined;
}

function credentialsOf(entry: AuthEntry, where: string): Credentials | undefined {
  if (entry.identitytoken) return { identityToken: entry.identitytoken };
  if (entry.registrytoken) return { registryToken: entry.registrytoken };
  if (entry.username && entry.password) return { username: entry.username, password: entry.password };
  if (!entry.auth) return undefined;
  const text = Buffer.from(entry.auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 1) throw new CalveError('corrupt', `${where}: expected auth to be base64 of user:password`);
  // Old docker ended the password with NULs.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}
