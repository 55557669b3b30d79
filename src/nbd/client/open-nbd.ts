import { CalveError } from '../../errors/index.ts';
import { LONGEST_STRING, TransmissionFlag } from '../protocol/numbers.ts';
import { type ClientSettings, clientSettings, type NbdClientOptions } from './client-options.ts';
import { connectNbd } from './connect-nbd.ts';
import { Connection } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { describeAddress, type NbdAddress } from './nbd-address.ts';
import { NbdDisk } from './nbd-disk.ts';
import { parseNbdUri } from './parse-nbd-uri.ts';
import { ALLOCATION, DEPTH } from './status-extents.ts';

/**
 * Opens an export of an NBD server as a disk.
 *
 * @param address a URI (`parseNbdUri` says which), or what is made of one
 * @throws CalveError `usage` for an address that is none; `not-found` when there is no such export or socket; `denied` when
 * the export is read-only and is to be written, or the server and this side do not trust each other; `unsupported` for a
 * server of the oldstyle protocol; `invalid` for one that breaks the protocol; `io` when it cannot be reached, or takes too
 * long; `aborted`
 */
export async function openNbd(
  address: string | NbdAddress,
  options: NbdClientOptions = {},
): Promise<NbdDisk> {
  const where = typeof address === 'string' ? parseNbdUri(address) : checkAddress(address);
  const settings = clientSettings(options);
  const connect = (signal: AbortSignal): Promise<Connection> => connectExport(where, { ...settings, signal });
  const pool = await ConnectionPool.open(connect, settings);
  return new NbdDisk(pool, describeAddress(where), settings.readOnly);
}

function connectExport(address: NbdAddress, settings: ClientSettings): Promise<Connection> {
  return connectNbd(address, settings, async ({ wire, handshake, unread }) => {
    const agreed = await handshake.open(address.exportName, [
      ...new Set([ALLOCATION, DEPTH, ...settings.contexts]),
    ]);
    if (unread() > 0) {
      throw new CalveError(
        'invalid',
        `${wire.where}: the server breaks the protocol: ${unread()} bytes too many`,
      );
    }
    if (!settings.readOnly && (agreed.flags & TransmissionFlag.readOnly) !== 0) {
      throw new CalveError(
        'denied',
        `${wire.where}: the export is read-only and cannot be opened for writing`,
      );
    }
    return new Connection(wire, agreed);
  });
}

/** @throws CalveError `usage` */
function checkAddress(address: NbdAddress): NbdAddress {
  const { exportName } = address;
  if (Buffer.byteLength(exportName) <= LONGEST_STRING && !exportName.includes('\0')) return address;
  throw new CalveError('usage', `an export's name has at most ${LONGEST_STRING} bytes, and no NUL`);
}
