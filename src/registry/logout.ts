import { type CredentialsPlace, forgetCredentials } from './auth/store-credentials.ts';
import type { RegistryOptions } from './options.ts';
import { parseRegistryHost } from './reference.ts';

/**
 * Forgets a registry's credentials.
 * @returns where they were; undefined when there were none
 */
export async function logout(
  host: string,
  options: RegistryOptions = {},
): Promise<CredentialsPlace | undefined> {
  return await forgetCredentials(parseRegistryHost(host), {
    authFile: options.authFile,
    env: options.env ?? process.env,
  });
}
