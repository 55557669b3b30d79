import type { Duplex } from 'node:stream';
import { createServer, type TlsOptions } from 'node:tls';
import { CalveError } from '../../errors/index.ts';
import { PSK_CIPHERS, readPskFile } from './psk-file.ts';
import { readCredential, readOptionalCredential } from './read-credential.ts';

/** How a server shows who it is, and whom it serves. One of the first two is needed. */
export interface ServerTls {
  /**
   * A folder with `server-cert.pem` and `server-key.pem`, `ca-cert.pem` (who signs clients), and perhaps `ca-crl.pem`
   * (whom it has since disowned): the layout of QEMU.
   */
  readonly certificates?: string;
  /** A file of keys, `USER:HEX` a line, as psktool writes it: who knows one is served. */
  readonly pskFile?: string;
  /** Whether a client must show a certificate that the authority has signed (default true). */
  readonly verifyPeer?: boolean;
}

/**
 * Reads what a server needs for TLS, once. What it returns is `NbdServerOptions.startTls`.
 * @throws CalveError `usage` where both or none of certificates and keys are given; `not-found`, `denied`, `io`, `invalid`:
 * what is wrong with the files
 */
export async function startServerTls(tls: ServerTls): Promise<(socket: Duplex) => Promise<Duplex>> {
  const { certificates, pskFile, verifyPeer = true } = tls;
  if ((certificates === undefined) === (pskFile === undefined)) {
    throw new CalveError('usage', 'TLS needs either a folder of certificates or a file of keys');
  }
  const options = pskFile === undefined ? await x509(certificates ?? '', verifyPeer) : await psk(pskFile);
  checkOptions(options, certificates ?? pskFile ?? '');
  return (socket) =>
    new Promise((resolve, reject) => {
      // A server of its own for each connection, which hears of no other.
      const server = createServer({ ...options, minVersion: 'TLSv1.2' });
      server.once('secureConnection', resolve);
      server.once('tlsClientError', (cause) =>
        reject(new CalveError('denied', `TLS: ${cause.message}`, { cause })),
      );
      server.emit('connection', socket);
    });
}

async function x509(folder: string, verifyPeer: boolean): Promise<TlsOptions> {
  const [cert, key] = [
    await readCredential(folder, 'server-cert.pem'),
    await readCredential(folder, 'server-key.pem'),
  ];
  if (!verifyPeer) return { cert, key, requestCert: false };
  const ca = await readCredential(folder, 'ca-cert.pem');
  const crl = await readOptionalCredential(folder, 'ca-crl.pem');
  return { cert, key, ca, ...(crl && { crl }), requestCert: true, rejectUnauthorized: true };
}

async function psk(file: string): Promise<TlsOptions> {
  const keys = await readPskFile(file);
  return { ciphers: PSK_CIPHERS, dhparam: 'auto', pskCallback: (_socket, user) => keys.get(user) ?? null };
}

/** Finds out now, rather than when a client comes, whether the certificate fits the key and the like. */
function checkOptions(options: TlsOptions, from: string): void {
  try {
    createServer(options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CalveError('invalid', `${from}: cannot be used for TLS: ${reason}`, { cause });
  }
}
