import type { ClientTls } from '../tls/client-tls.ts';

/** Where a server listens. A path that begins with NUL is in Linux's abstract namespace. */
export type NbdSocket = { readonly path: string } | { readonly host: string; readonly port: number };

/** An export of a server, as `parseNbdUri` finds it in a URI. */
export interface NbdAddress {
  readonly socket: NbdSocket;
  /** As the server calls it; '' is the one that it gives to who names none. */
  readonly exportName: string;
  /** Set where the connection must be encrypted; it is never made in plain text then. */
  readonly tls?: ClientTls;
}

/** An address as a URI for people: without what only this side needs to know. */
export function describeAddress({ socket, exportName, tls }: NbdAddress): string {
  const scheme = tls ? 'nbds' : 'nbd';
  const name = encode(exportName);
  if ('path' in socket) return `${scheme}+unix:///${name}?socket=${encode(socket.path)}`;
  const host = socket.host.includes(':') ? `[${socket.host}]` : socket.host;
  return `${scheme}://${host}:${socket.port}/${name}`;
}

/** Percent-encoding, which leaves what need not be encoded in a path or a query. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/%2F/g, '/').replace(/%3A/g, ':');
}
