import { CalveError } from '../../errors/index.ts';
import { startClientTls } from '../tls/client-tls.ts';
import { Handshake } from './handshake.ts';
import { Inbox } from './inbox.ts';
import { describeAddress, type NbdAddress } from './nbd-address.ts';
import { Wire } from './wire.ts';

/** A server that was greeted, and the wire to it. */
export interface Greeted {
  readonly wire: Wire;
  readonly handshake: Handshake;
  /** Bytes that the server sent and nobody asked for. */
  unread(): number;
}

/**
 * Connects to a server, greets it, and does what is then to be done within the same time.
 * @param use what it throws ends the connection
 * @throws CalveError `io` when it takes too long, or the connection cannot be made; `aborted`; what `use` throws
 */
export async function connectNbd<T>(
  address: NbdAddress,
  { handshakeMs, signal }: { readonly handshakeMs: number; readonly signal: AbortSignal },
  use: (greeted: Greeted) => Promise<T>,
): Promise<T> {
  const where = describeAddress(address);
  const ended = new AbortController();
  const late = setTimeout(() => {
    ended.abort(new CalveError('io', `${where}: the server was not ready within ${handshakeMs} ms`));
  }, handshakeMs);
  const abort = (): void => ended.abort(new CalveError('aborted', `${where}: connecting was cancelled`));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const inbox = new Inbox(where);
    const isPlain = address.tls === undefined;
    const wire = await Wire.connect(address.socket, where, inbox, { isPlain, signal: ended.signal });
    const stop = (): void => wire.destroy(ended.signal.reason);
    ended.signal.addEventListener('abort', stop, { once: true });
    wire.onEnd = (error) => inbox.fail(error);
    try {
      const startTls = await tlsOf(address, wire);
      const handshake = await Handshake.begin({
        inbox,
        where,
        startTls,
        write: (parts) => wire.write(parts),
      });
      return await use({ wire, handshake, unread: () => inbox.unread });
    } catch (error) {
      wire.destroy(new CalveError('closed', `${where}: the connection was given up`));
      throw error;
    } finally {
      ended.signal.removeEventListener('abort', stop);
    }
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
  }
}

async function tlsOf({ socket, tls }: NbdAddress, wire: Wire): Promise<(() => Promise<void>) | undefined> {
  if (!tls) return undefined;
  const encrypt = await startClientTls(tls, wire.where, 'host' in socket ? socket.host : undefined);
  return () => wire.upgrade(encrypt);
}
