import { join } from 'node:path';
import { CalveError } from '../../errors/index.ts';
import type { ClientTls, ServerTls } from '../../nbd/index.ts';
import type { NbdOptions } from './nbd-options.ts';

/** An `--object` of QEMU that holds credentials: `tls-creds-x509,id=tls0,dir=/etc/nbd,endpoint=server`. */
interface CredentialsObject {
  readonly id: string;
  readonly type: 'tls-creds-x509' | 'tls-creds-psk';
  readonly dir: string;
  readonly endpoint: 'client' | 'server';
  readonly verifyPeer: boolean;
  readonly username: string | undefined;
}

/** QEMU's name for the file of keys. */
const PSK_FILE = 'keys.psk';
const TYPES = ['tls-creds-x509', 'tls-creds-psk'] as const;
const PROPERTIES = new Set(['id', 'dir', 'endpoint', 'verify-peer', 'username', 'priority', 'sanity-check']);

/**
 * What a server's TLS takes; undefined where it was not asked for.
 * @throws CalveError `usage`, `unsupported`
 */
export function serverTls(options: NbdOptions): ServerTls | undefined {
  const credentials = credentialsOf(options, 'server');
  if (credentials === undefined) return undefined;
  const { type, dir, verifyPeer } = credentials;
  return type === 'tls-creds-psk' ? { pskFile: join(dir, PSK_FILE) } : { certificates: dir, verifyPeer };
}

/** As `serverTls`, of who lists another server's exports. */
export function clientTls(options: NbdOptions): ClientTls | undefined {
  const credentials = credentialsOf(options, 'client');
  if (credentials === undefined) return undefined;
  const { type, dir, verifyPeer, username } = credentials;
  const hostname = options.tlsHostname === undefined ? {} : { hostname: options.tlsHostname };
  if (type === 'tls-creds-x509') return { certificates: dir, verifyPeer, ...hostname };
  return { pskFile: join(dir, PSK_FILE), ...(username === undefined ? {} : { username }) };
}

function credentialsOf(
  { object = [], tlsCreds }: NbdOptions,
  endpoint: CredentialsObject['endpoint'],
): CredentialsObject | undefined {
  const objects = object.map(parseObject);
  if (tlsCreds === undefined) return undefined;
  const found = objects.find(({ id }) => id === tlsCreds);
  if (found?.endpoint === endpoint) return found;
  if (found !== undefined) {
    throw new CalveError(
      'usage',
      `--object ${tlsCreds}: expected endpoint=${endpoint}, got ${found.endpoint}`,
    );
  }
  // An id has no slash.
  if (tlsCreds.includes('/')) {
    return { id: '', type: 'tls-creds-x509', dir: tlsCreds, endpoint, verifyPeer: true, username: undefined };
  }
  throw new CalveError('usage', `--tls-creds: no --object has the id ${tlsCreds}`, {
    hint: `--object tls-creds-x509,id=${tlsCreds},dir=DIR,endpoint=${endpoint}; or --tls-creds ./DIR`,
  });
}

/** QEMU's `TYPE,KEY=VALUE,…`, with commas in a value doubled. */
function parseObject(text: string): CredentialsObject {
  const [type, ...parts] = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  const known = TYPES.find((each) => each === type);
  if (known === undefined) {
    throw new CalveError('unsupported', `--object: expected ${TYPES.join(' or ')}, got ${type}`);
  }
  const values = new Map(parts.map((part) => splitProperty(part)));
  const [id, dir, endpoint = 'client'] = [values.get('id'), values.get('dir'), values.get('endpoint')];
  if (id === undefined || dir === undefined) {
    throw new CalveError('usage', `--object ${type}: expected id=ID and dir=DIR, got ${text}`);
  }
  if (endpoint !== 'client' && endpoint !== 'server') {
    throw new CalveError('usage', `--object ${id}: expected endpoint=client or server, got ${endpoint}`);
  }
  const verify = values.get('verify-peer') ?? 'on';
  if (!['on', 'off', 'yes', 'no', 'true', 'false'].includes(verify)) {
    throw new CalveError('usage', `--object ${id}: expected verify-peer=on or off, got ${verify}`);
  }
  const verifyPeer = ['on', 'yes', 'true'].includes(verify);
  return { id, type: known, dir, endpoint, verifyPeer, username: values.get('username') };
}

function splitProperty(part: string): [key: string, value: string] {
  const at = part.indexOf('=');
  const key = at < 0 ? part : part.slice(0, at);
  if (at < 0 || !PROPERTIES.has(key)) {
    throw new CalveError(
      'usage',
      `--object: expected one of ${[...PROPERTIES].join(', ')} with =, got ${part}`,
    );
  }
  if (key === 'priority' || key === 'sanity-check') {
    throw new CalveError('unsupported', `--object: ${key} is GnuTLS's, which calve does not use`);
  }
  return [key, part.slice(at + 1)];
}
