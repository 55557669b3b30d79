import { type Disk, MemoryDisk } from '../../src/disk/index.ts';
import { fixedExports, type NbdExport, NbdServer, type NbdServerOptions } from '../../src/nbd/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A server on a unix socket. */
export interface Served extends AsyncDisposable {
  readonly server: NbdServer;
  readonly path: string;
  /** As programs want it. */
  readonly uri: string;
  /** What the server told of clients and disks. */
  readonly errors: readonly unknown[];
}

/** An export that may be written and has no name. */
export function exported(disk: Disk | (() => Promise<Disk>), more: Partial<NbdExport> = {}): NbdExport {
  const open = typeof disk === 'function' ? disk : async () => disk;
  return { name: '', description: '', readOnly: false, fastZeroes: true, open, ...more };
}

export async function serve(
  exports: readonly NbdExport[],
  options: Partial<NbdServerOptions> = {},
): Promise<Served> {
  const folder = await temporaryFolder('nbd');
  const errors: unknown[] = [];
  const server = new NbdServer({
    exports: fixedExports(exports),
    onClientError: (error) => errors.push(error),
    ...options,
  });
  const path = folder.join('socket');
  await server.listen({ path });
  return {
    ...{ server, path, errors, uri: `nbd+unix:///?socket=${path}` },
    async [Symbol.asyncDispose]() {
      await server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A disk in memory that holds no two blocks of 512 bytes alike, up to `written`; the rest was never written. */
export async function patternedDisk(size: number, written: number = size): Promise<MemoryDisk> {
  const disk = new MemoryDisk(size);
  await disk.write(pattern(0, written), 0);
  return disk;
}

/** What `patternedDisk` holds. */
export function pattern(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) {
    const place = offset + at;
    bytes[at] =
      place % 2 === 0 ? Math.floor(place / 512) & 0xff : (Math.floor(place / 131_072) + place) & 0xff;
  }
  return bytes;
}
