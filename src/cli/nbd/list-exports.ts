import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import { listNbd, type NbdAddress, openNbd } from '../../nbd/index.ts';
import { printable } from '../printable.ts';
import type { Session } from '../session.ts';
import { formatTable } from '../table.ts';
import { listeningOf } from './listening.ts';
import type { NbdOptions } from './nbd-options.ts';
import { clientTls } from './tls-credentials.ts';

/** An export as it is listed: a line of `nbd --list --json`. */
interface ListedLine {
  readonly name: string;
  readonly description: string;
  /** Bytes; null where it cannot be opened. */
  readonly size: number | null;
}

/** Lists the exports of another server, and how large each is, for which each is opened. */
export async function listExports(session: Session, options: NbdOptions): Promise<void> {
  const { output, signal } = session;
  const socket = listeningOf(options, []);
  if ('fds' in socket) throw new TypeError('nothing was passed');
  const tls = clientTls(options);
  const address: Omit<NbdAddress, 'exportName'> = { socket, ...(tls === undefined ? {} : { tls }) };
  const lines: ListedLine[] = [];
  for (const { name, description } of await listNbd({ ...address, exportName: '' }, { signal })) {
    lines.push({ name, description, size: await sizeOf({ ...address, exportName: name }, session) });
  }
  if (options.json === true) return output.printJson(lines);
  if (output.quiet) return output.printNames(lines.map(({ name }) => ({ name: printable(name) })));
  output.printTable(
    formatTable(
      [
        { title: 'NAME', cell: ({ name }) => name || "''" },
        { title: 'DISK', cell: ({ size }) => (size === null ? '-' : formatBytes(size)), align: 'right' },
        { title: 'DESCRIPTION', cell: ({ description }) => description },
      ],
      lines,
    ),
  );
}

async function sizeOf(address: NbdAddress, { output, signal }: Session): Promise<number | null> {
  try {
    await using disk = await openNbd(address, { connections: 1, signal });
    return disk.size;
  } catch (error) {
    if (!CalveError.is(error) || signal.aborted) throw error;
    output.warn(printable(error.message));
    return null;
  }
}
