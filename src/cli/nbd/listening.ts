import { resolve } from 'node:path';
import { CalveError, errnoOf } from '../../errors/index.ts';
import { listenUnix, type NbdServer, type NbdSocket, pathOfSocket } from '../../nbd/index.ts';
import type { NbdOptions } from './nbd-options.ts';

/** Where a server is to listen. */
export type Listening =
  | { readonly path: string }
  | { readonly host: string; readonly port: number }
  /** Sockets that were passed to this process. */
  | { readonly fds: readonly number[] };

/** This machine alone, unlike qemu-nbd: there is neither a password nor encryption unless it was asked for. */
const LOOPBACK = '127.0.0.1';
/** IANA's. */
const PORT = 10809;

/** @throws CalveError `usage` for options that exclude each other */
export function listeningOf({ socket, port, bind, fork }: NbdOptions, fds: readonly number[]): Listening {
  const isTcp = port !== undefined || bind !== undefined;
  if (socket !== undefined && isTcp) {
    throw new CalveError('usage', '--socket goes neither with --port nor with --bind: choose one');
  }
  if (fds.length > 0) {
    if (socket !== undefined || isTcp || fork === true) {
      throw new CalveError(
        'usage',
        'sockets were passed to this process (LISTEN_FDS): --socket, --port, --bind and --fork do not go with them',
      );
    }
    return { fds };
  }
  return socket === undefined ? { host: bind ?? LOOPBACK, port: port ?? PORT } : { path: socket };
}

/**
 * Begins to listen. Returns every place where clients can connect, as far as that is known of a socket that was passed.
 * @throws CalveError `in-use`, `exists`, `denied`, `usage`, `io`
 */
export async function beginListening(server: NbdServer, where: Listening): Promise<NbdSocket[]> {
  if ('path' in where) {
    await listenUnix(server, where.path);
    return [{ path: resolve(where.path) }];
  }
  if ('fds' in where) {
    const sockets: NbdSocket[] = [];
    for (const fd of where.fds) sockets.push(...(await listenAt(server, { fd })));
    return sockets;
  }
  try {
    return await listenAt(server, where);
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw error;
    throw new CalveError('in-use', `another server listens on ${where.host}:${where.port}`, {
      cause: error,
      hint: 'calve nbd --port 0 takes a free one',
    });
  }
}

async function listenAt(
  server: NbdServer,
  address: { readonly fd: number } | { readonly host: string; readonly port: number },
): Promise<NbdSocket[]> {
  const at = await server.listen(address);
  if (at !== null && typeof at === 'object') return [{ host: at.address, port: at.port }];
  const path = 'fd' in address ? pathOfSocket(address.fd) : undefined;
  return path === undefined ? [] : [{ path }];
}

/** Whether others than this machine may connect. */
export function isOpenToOthers(socket: NbdSocket): boolean {
  return 'host' in socket && !/^(?:127\.|::1$|::ffff:127\.)/.test(socket.host);
}
