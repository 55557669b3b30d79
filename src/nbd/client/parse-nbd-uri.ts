import { CalveError } from '../../errors/index.ts';
import { LONGEST_STRING, PORT } from '../protocol/numbers.ts';
import type { ClientTls } from '../tls/client-tls.ts';
import type { NbdAddress, NbdSocket } from './nbd-address.ts';

/** The parts of a URI (RFC 3986, appendix B), except that there must be an authority, be it empty. */
const URI = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i;
/** Of an authority: who, the host or the IPv6 address in brackets, the port (RFC 3986, section 3.2). */
const AUTHORITY = /^(?:([^@]*)@)?(?:\[([0-9a-f:.%]+)\]|([^@:[\]]*))(?::(\d*))?$/i;
/** QEMU's own form: a socket, then a name that goes on to the end. */
const QEMU_FORM = /^nbd:(?:unix:(.+?)|\[([0-9a-f:.%]+)\]:(\d+)|([^:[\]/]*):(\d+))(?::exportname=(.*))?$/is;

const PARAMETERS = new Set([
  'socket',
  'tls-type',
  'tls-certificates',
  'tls-psk-file',
  'tls-verify-peer',
  'tls-hostname',
]);

/** Whether a word means an export of an NBD server, rather than a file: `parseNbdUri` takes it or says what is wrong. */
export function isNbdUri(text: string): boolean {
  return /^(?:nbd:|nbds?(?:\+[a-z]+)?:\/\/)/i.test(text);
}

/**
 * Understands `nbd://HOST[:PORT]/EXPORT`, `nbd+unix:///EXPORT?socket=PATH`, their encrypted kin `nbds` and `nbds+unix`
 * (doc/uri.md of NetworkBlockDevice/nbd, with libnbd's `tls-certificates` and `tls-psk-file`), and QEMU's
 * `nbd:unix:PATH[:exportname=NAME]` and `nbd:HOST:PORT[:exportname=NAME]`.
 *
 * @throws CalveError `usage`, saying what is wrong; `unsupported` for `nbd+vsock` and `tls-type=anon`
 */
export function parseNbdUri(text: string): NbdAddress {
  const uri = URI.exec(text);
  if (!uri) return parseQemuForm(text);
  const [, scheme = '', authority = '', path = '', query = ''] = uri;
  const kind = /^nbd(s?)(\+unix)?$/i.exec(scheme);
  if (!kind && /^nbds?\+vsock$/i.test(scheme)) {
    throw new CalveError(
      'unsupported',
      `${text}: vsock cannot be used here: connect over TCP or a unix socket`,
    );
  }
  if (!kind) throw bad(text, `nbd, nbds, nbd+unix or nbds+unix, not ${scheme}`);
  const isUnix = kind[2] !== undefined;
  const parameters = parseQuery(text, query);
  const { socket, user } = parseAuthority(text, authority, isUnix, parameters.get('socket'));
  const exportName = checkName(text, decodePart(text, path.slice(1)));
  if (kind[1] !== '') return { socket, exportName, tls: parseTls(text, parameters, user) };
  const stray = user === undefined ? [...parameters.keys()].find((name) => name !== 'socket') : 'a user';
  if (stray) throw bad(text, `nbds: ${stray} belongs to an encrypted connection`);
  return { socket, exportName };
}

function parseAuthority(
  text: string,
  authority: string,
  isUnix: boolean,
  path: string | undefined,
): { readonly socket: NbdSocket; readonly user: string | undefined } {
  const found = AUTHORITY.exec(authority);
  if (!found) throw bad(text, `[USER@]HOST[:PORT], not ${authority}`);
  const [, user, address, host = '', port = ''] = found;
  const name = address ?? decodePart(text, host);
  const who = user === undefined ? undefined : decodePart(text, user);
  if (!isUnix) {
    if (path !== undefined) throw bad(text, 'no parameter socket: it belongs to nbd+unix');
    return { socket: { host: name || 'localhost', port: parsePort(text, port || `${PORT}`) }, user: who };
  }
  if (name !== '' || port !== '') throw bad(text, 'no host: nbd+unix:///EXPORT?socket=PATH');
  if (!path) throw bad(text, 'the parameter socket: nbd+unix:///EXPORT?socket=PATH');
  return { socket: { path: checkPath(text, path) }, user: who };
}

function parseQuery(text: string, query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const each of query.split(/[&;]/).filter((part) => part !== '')) {
    const at = each.indexOf('=');
    const name = decodePart(text, at < 0 ? each : each.slice(0, at));
    if (!PARAMETERS.has(name))
      throw bad(text, `one of the parameters ${[...PARAMETERS].join(', ')}: ${name}`);
    if (parameters.has(name)) throw bad(text, `${name} once`);
    parameters.set(name, at < 0 ? '' : decodePart(text, each.slice(at + 1)));
  }
  return parameters;
}

function parseTls(text: string, parameters: Map<string, string>, user: string | undefined): ClientTls {
  const type = parameters.get('tls-type');
  const certificates = parameters.get('tls-certificates');
  const pskFile = parameters.get('tls-psk-file');
  const verify = parameters.get('tls-verify-peer');
  const hostname = parameters.get('tls-hostname');
  if (type === 'anon') {
    throw new CalveError('unsupported', `${text}: encryption without authentication is not supported`);
  }
  if (type !== undefined && type !== 'x509' && type !== 'psk')
    throw bad(text, `tls-type=x509 or psk, not ${type}`);
  if (verify !== undefined && verify !== '0' && verify !== '1') {
    throw bad(text, `tls-verify-peer=0 or 1, not ${verify}`);
  }
  if (certificates !== undefined && pskFile !== undefined) {
    throw bad(text, 'either tls-certificates or tls-psk-file');
  }
  if (type === 'psk' && pskFile === undefined) throw bad(text, 'tls-psk-file, where tls-type=psk');
  if (type === 'x509' && pskFile !== undefined) throw bad(text, 'no tls-psk-file, where tls-type=x509');
  return {
    ...(certificates !== undefined && { certificates }),
    ...(pskFile !== undefined && { pskFile }),
    ...(user !== undefined && { username: user }),
    ...(hostname !== undefined && { hostname }),
    ...(verify !== undefined && { verifyPeer: verify === '1' }),
  };
}

function parseQemuForm(text: string): NbdAddress {
  const found = QEMU_FORM.exec(text);
  if (!found || text.startsWith('nbd://')) {
    throw bad(text, 'nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH or nbd:unix:PATH');
  }
  const [, path, address, port6, host, port, name = ''] = found;
  const exportName = checkName(text, name);
  if (path !== undefined) return { socket: { path: checkPath(text, path) }, exportName };
  const socket = { host: address ?? (host || 'localhost'), port: parsePort(text, port6 ?? port ?? '') };
  return { socket, exportName };
}

function parsePort(text: string, port: string): number {
  const value = Number(port);
  if (value >= 1 && value <= 65_535) return value;
  throw bad(text, `a port from 1 to 65535, not ${port}`);
}

/** Bytes that a unix socket's path may have (unix(7)). */
const LONGEST_PATH = 107;

function checkPath(text: string, path: string): string {
  if (path.lastIndexOf('\0') > 0) throw bad(text, 'a path without NUL');
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw bad(text, `a socket whose path has at most ${LONGEST_PATH} bytes`);
  }
  return path;
}

function checkName(text: string, name: string): string {
  if (name.includes('\0')) throw bad(text, 'an export name without NUL');
  if (Buffer.byteLength(name) > LONGEST_STRING) throw bad(text, `a name of at most ${LONGEST_STRING} bytes`);
  return name;
}

function decodePart(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw bad(text, `UTF-8 in percent-encoding: ${part}`);
  }
}

function bad(text: string, expected: string): CalveError {
  return new CalveError('usage', `${text}: expected ${expected}`);
}
