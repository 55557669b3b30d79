import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './programs.ts';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/**
 * Makes an authority and what it signs, in QEMU's layout, in a new folder: ca-cert.pem, server-cert.pem, server-key.pem,
 * client-cert.pem, client-key.pem.
 * @param serverNames what the server is called: `DNS:localhost,IP:127.0.0.1`
 */
export async function makeCertificates(folder: string, serverNames: string): Promise<string> {
  await mkdir(folder);
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => succeed('openssl', args);
  await openssl(
    ...[
      'req',
      '-x509',
      ...KEY,
      '-keyout',
      at('ca-key.pem'),
      '-out',
      at('ca-cert.pem'),
      '-subj',
      '/CN=Authority',
    ],
    ...['-days', '30', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
  for (const who of ['server', 'client']) {
    const names = who === 'server' ? [`subjectAltName=${serverNames}`] : [];
    const extensions = [
      'basicConstraints=CA:FALSE',
      'keyUsage=critical,digitalSignature',
      `extendedKeyUsage=${who}Auth`,
    ];
    await writeFile(at('extensions'), [...extensions, ...names].join('\n'));
    await openssl(
      'req',
      '-new',
      ...KEY,
      '-keyout',
      at(`${who}-key.pem`),
      '-out',
      at('request'),
      '-subj',
      `/CN=a ${who}`,
    );
    await openssl(
      ...[
        'x509',
        '-req',
        '-in',
        at('request'),
        '-CA',
        at('ca-cert.pem'),
        '-CAkey',
        at('ca-key.pem'),
        '-CAcreateserial',
      ],
      ...['-out', at(`${who}-cert.pem`), '-days', '30', '-extfile', at('extensions')],
    );
  }
  return folder;
}

/** Disowns the client's certificate of such a folder, by a list in ca-crl.pem. */
export async function revokeClient(folder: string): Promise<void> {
  const at = (name: string) => join(folder, name);
  await writeFile(at('index'), '');
  await writeFile(
    at('ca.conf'),
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('index')}\ndefault_md=sha256\ndefault_crl_days=30\n`,
  );
  const ca = ['ca', '-config', at('ca.conf'), '-cert', at('ca-cert.pem'), '-keyfile', at('ca-key.pem')];
  await succeed('openssl', [...ca, '-revoke', at('client-cert.pem')]);
  await succeed('openssl', [...ca, '-gencrl', '-out', at('ca-crl.pem')]);
}
