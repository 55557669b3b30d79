import { CalveError } from '../../errors/index.ts';
import { serverReply } from '../protocol/option-data.ts';
import { clientSettings, type NbdClientOptions } from './client-options.ts';
import { connectNbd } from './connect-nbd.ts';
import type { NbdAddress } from './nbd-address.ts';
import { parseNbdUri } from './parse-nbd-uri.ts';

/** An export, as its server tells of it. */
export interface ListedExport {
  readonly name: string;
  /** For people; may be empty. */
  readonly description: string;
}

/** Bytes of names and descriptions that are kept. */
const MOST_BYTES = 16 << 20;

/**
 * The exports that a server tells of; it may have others. The address's own export plays no part.
 * @throws CalveError what `openNbd` throws
 */
export function listNbd(
  address: string | NbdAddress,
  options: Pick<NbdClientOptions, 'handshakeMs' | 'signal'> = {},
): Promise<ListedExport[]> {
  const where = typeof address === 'string' ? parseNbdUri(address) : address;
  return connectNbd(where, clientSettings(options), async ({ wire, handshake }) => {
    const found: ListedExport[] = [];
    let bytes = 0;
    await handshake.list((data) => {
      bytes += data.length;
      if (bytes > MOST_BYTES) {
        throw new CalveError('invalid', `${wire.where}: expected a list of at most ${MOST_BYTES} bytes`);
      }
      found.push(decodeServer(data, wire.where));
    });
    handshake.abort();
    await wire.end(1000);
    return found;
  });
}

function decodeServer(data: Buffer, where: string): ListedExport {
  try {
    return serverReply.decode(data);
  } catch (cause) {
    throw new CalveError('invalid', `${where}: the server breaks the protocol: a list with malformed data`, {
      cause,
    });
  }
}
