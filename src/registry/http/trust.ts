import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { CalveError, errnoOf, systemError } from '../../errors/index.ts';

/** Where distributions keep the system's certificates in one file: Debian and Alpine, Fedora, openSUSE, BSD and macOS. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Where podman and docker look for what a registry needs of its own (containers-certs.d(5)): a person's folder first. */
function certsFolders(env: NodeJS.ProcessEnv): string[] {
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return [join(config, 'containers/certs.d'), '/etc/containers/certs.d', '/etc/docker/certs.d'];
}

/**
 * Whom this side trusts of a registry, and who it says it is: the system's and Node.js's authorities, a file of the
 * caller's, and of the folder `certs.d/HOST[:PORT]` each `*.crt`, and `*.cert` with its `*.key`.
 *
 * Made once for all connections: reading hundreds of certificates takes longer than connecting.
 * @throws CalveError `not-found`, `denied`, `invalid` for certificates that cannot be read
 */
export async function secureContextFor(
  host: string,
  caFile: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<SecureContext> {
  const own = caFile === undefined ? undefined : await readPem(caFile);
  const { authorities, cert, key } = await certificatesOf(host, certsFolders(env));
  const system = await firstThere(SYSTEM_BUNDLES);
  const ca = [
    ...getCACertificates('default'),
    ...[system, own].filter((pem) => pem !== undefined),
    ...authorities,
  ];
  try {
    return createSecureContext({ ca, ...(cert !== undefined && key !== undefined && { cert, key }) });
  } catch (cause) {
    throw new CalveError(
      'invalid',
      `expected certificates in PEM for ${host}${caFile === undefined ? '' : `, also in ${caFile}`}: ${String(cause)}`,
      { cause },
    );
  }
}

interface HostCertificates {
  readonly authorities: Buffer[];
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

async function certificatesOf(host: string, parents: readonly string[]): Promise<HostCertificates> {
  for (const parent of parents) {
    const folder = join(parent, host);
    const names = await namesIn(folder);
    if (names.length === 0) continue;
    const read = (name: string) => readPem(join(folder, name));
    const authorities = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
    const client = names.find((name) => name.endsWith('.cert'));
    if (client === undefined) return { authorities };
    return { authorities, cert: await read(client), key: await read(client.replace(/\.cert$/, '.key')) };
  }
  return { authorities: [] };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw systemError(`cannot read ${folder}`, error);
  }
}

async function firstThere(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    try {
      return await readFile(path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw systemError(`cannot read ${path}`, error);
    }
  }
  return undefined;
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw systemError(`cannot read the certificates ${path}`, error);
  }
}
