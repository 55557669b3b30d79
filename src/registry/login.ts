import { RegistryHost } from './asking/registry-host.ts';
import { type CredentialsPlace, storeCredentials } from './auth/store-credentials.ts';
import type { RegistryOptions } from './options.ts';
import { parseRegistryHost } from './reference.ts';

/**
 * Asks a registry whether it knows somebody, and then keeps the credentials where docker, podman and skopeo find them too.
 * @param host `HOST[:PORT]`
 * @throws CalveError `usage`; `denied` when the registry does not take them; as speaking to it and keeping them do
 */
export async function login(
  host: string,
  credentials: { readonly username: string; readonly password: string },
  options: RegistryOptions & { readonly signal?: AbortSignal } = {},
): Promise<CredentialsPlace> {
  const name = parseRegistryHost(host);
  await using registry = new RegistryHost(name, undefined, { ...options, credentials });
  const response = await registry.persistently({
    method: 'GET',
    to: '/v2/',
    scopes: [],
    expect: [200],
    what: 'logging in',
    signal: options.signal,
  });
  await response.body.discard();
  return await storeCredentials(name, credentials, {
    authFile: options.authFile,
    env: options.env ?? process.env,
  });
}
