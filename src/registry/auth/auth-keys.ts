/** What docker files docker.io's credentials under. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

/** What credentials of a registry are filed under by who stores them: the host, but for docker.io. */
export function authKey(host: string): string {
  return host === 'docker.io' ? DOCKER_HUB_KEY : host;
}

/**
 * What credentials may be filed under, the closest first: podman's entries of a repository and of what stands above it, the
 * registry's, and the URLs that old docker wrote.
 */
export function authKeys(host: string, repository: string | undefined): string[] {
  const parts = repository === undefined ? [] : repository.split('/');
  const namespaces = parts.map((_, index) => `${host}/${parts.slice(0, parts.length - index).join('/')}`);
  const urls = ['https', 'http'].flatMap((scheme) =>
    ['', '/', '/v1/', '/v2/'].map((path) => `${scheme}://${host}${path}`),
  );
  return [...namespaces, ...new Set([authKey(host), host]), ...urls];
}
