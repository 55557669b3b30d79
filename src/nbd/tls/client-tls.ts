import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { userInfo } from 'node:os';
import { type ConnectionOptions, checkServerIdentity, connect } from 'node:tls';
import { CalveError } from '../../errors/index.ts';
import { PSK_CIPHERS, readPskFile } from './psk-file.ts';
import { readCredential, readOptionalCredential } from './read-credential.ts';

/** How a client shows who it is, and how it knows the server. */
export interface ClientTls {
  /**
   * A folder with `ca-cert.pem` (who signs servers), and `client-cert.pem` and `client-key.pem` where the server asks
   * for them, perhaps `ca-crl.pem`: the layout of QEMU and libnbd. Without it, the authorities that Node.js trusts are
   * believed.
   */
  readonly certificates?: string;
  /** A file of keys that both sides have, `USER:HEX` a line, instead of certificates. */
  readonly pskFile?: string;
  /** The user whose key of `pskFile` is used (default: who runs this). */
  readonly username?: string;
  /** The name that the server's certificate must have (default: the host; on a unix socket, any). */
  readonly hostname?: string;
  /** Whether the server's certificate is checked (default true). */
  readonly verifyPeer?: boolean;
}

/**
 * Reads what a client needs for TLS. What it returns encrypts a connection.
 * @param where for messages: the address
 * @param host that was connected to; undefined for a unix socket
 * @throws CalveError `not-found`, `denied`, `io`, `invalid`: what is wrong with the files; what it returns throws `denied`
 * when the two sides do not trust each other
 */
export async function startClientTls(
  tls: ClientTls,
  where: string,
  host: string | undefined,
): Promise<(socket: Socket) => Promise<Socket>> {
  const options = tls.pskFile === undefined ? await x509(tls, host) : await psk(tls, tls.pskFile);
  return (socket) =>
    new Promise((resolve, reject) => {
      const encrypted = connect({ ...options, socket, minVersion: 'TLSv1.2' }, () => {
        encrypted.off('error', refuse).off('close', refuse);
        resolve(encrypted);
      });
      const refuse = (cause?: unknown): void => {
        encrypted.on('error', () => {}); // it has ended
        reject(new CalveError('denied', `${where}: TLS: ${reasonOf(cause)}`, { cause }));
      };
      encrypted.once('error', refuse).once('close', () => refuse());
    });
}

async function x509(
  { certificates, hostname, verifyPeer = true }: ClientTls,
  host?: string,
): Promise<ConnectionOptions> {
  const name = hostname ?? host;
  const options: ConnectionOptions = {
    rejectUnauthorized: verifyPeer,
    ...(name !== undefined && { host: name }),
    ...(name !== undefined && isIP(name) === 0 && { servername: name }),
    // The path of a unix socket is as good as a name: who may make it is the file system's matter.
    ...(name === undefined && { checkServerIdentity: () => undefined }),
  };
  if (certificates === undefined) return options;
  const [ca, crl] = [
    await readCa(certificates, verifyPeer),
    await readOptionalCredential(certificates, 'ca-crl.pem'),
  ];
  const cert = await readOptionalCredential(certificates, 'client-cert.pem');
  return {
    ...options,
    ...(ca && { ca }),
    ...(crl && { crl }),
    ...(cert && { cert, key: await readCredential(certificates, 'client-key.pem') }),
  };
}

function readCa(folder: string, isNeeded: boolean): Promise<Buffer | undefined> {
  return isNeeded ? readCredential(folder, 'ca-cert.pem') : readOptionalCredential(folder, 'ca-cert.pem');
}

async function psk({ username = userInfo().username }: ClientTls, file: string): Promise<ConnectionOptions> {
  const key = (await readPskFile(file)).get(username);
  if (!key) {
    throw new CalveError('not-found', `${file} has no key of the user ${username}`, {
      hint: 'name the user in the address: nbds://USER@HOST/',
    });
  }
  return {
    ciphers: PSK_CIPHERS,
    pskCallback: () => ({ psk: key, identity: username }),
    // Certificates count for nothing here: a server that shows one instead of knowing the key is refused.
    ca: [],
    rejectUnauthorized: true,
    checkServerIdentity: (name, shown) =>
      Object.keys(shown).length === 0 ? undefined : checkServerIdentity(name, shown),
  };
}

/** Why it did not begin, in a line: Node.js adds advice that is of no use here. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'the server ended the connection';
  const code = 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
  return `${cause.message.split(';')[0]}${code}`;
}
