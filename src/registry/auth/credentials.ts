/** Who somebody is to a registry. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  /** What docker calls an identity token: an OAuth2 refresh token, which tokens are asked for with. */
  | { readonly identityToken: string }
  /** A token that is sent as it is. */
  | { readonly registryToken: string };

/** The words of it that must not be seen by anybody. */
export function secretsOf(credentials: Credentials): string[] {
  if ('identityToken' in credentials) return [credentials.identityToken];
  if ('registryToken' in credentials) return [credentials.registryToken];
  return [credentials.password, basicAuth(credentials.username, credentials.password)];
}

/** The value of `Authorization: Basic`, and of `auth` in docker's file (RFC 7617). */
export function basicAuth(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
