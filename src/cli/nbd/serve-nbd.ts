import { CalveError } from '../../errors/index.ts';
import {
  activatedSockets,
  describeAddress,
  NbdServer,
  type NbdSocket,
  startServerTls,
} from '../../nbd/index.ts';
import { printable } from '../printable.ts';
import type { Session } from '../session.ts';
import { letYoungSpaceGrow } from '../young-objects.ts';
import { type Report, reporter, startDetached } from './detach.ts';
import { beginListening, isOpenToOthers, listeningOf } from './listening.ts';
import type { NbdOptions } from './nbd-options.ts';
import { writePidFile } from './pid-file.ts';
import { openSubject, type Subject } from './subject.ts';
import { serverTls } from './tls-credentials.ts';

/** Serves until the last client has gone, or with `--persistent` until a signal comes. */
export async function serveNbd(
  session: Session,
  target: string | undefined,
  options: NbdOptions,
): Promise<void> {
  const tell = options.fork === true ? reporter() : undefined;
  const where = listeningOf(options, activatedSockets());
  if (options.fork === true && tell === undefined) {
    const started = await startDetached(session);
    if (typeof started === 'number') session.exitCode = started;
    else print(session, options, started);
    return;
  }
  const tls = serverTls(options);
  const startTls = tls === undefined ? undefined : await startServerTls(tls);
  await using ends = new AsyncDisposableStack();
  const subject = ends.use(await openSubject(session, target, options));
  const allGone = Promise.withResolvers<void>();
  const server = ends.use(
    new NbdServer({
      exports: subject.exports,
      startTls,
      onClients: (count) => {
        if (count === 0 && options.persistent !== true) allGone.resolve();
      },
      onClientError: (error) => sayOfClient(session, options, error),
    }),
  );
  const sockets = await beginListening(server, where);
  if (options.pidFile !== undefined) ends.use(await writePidFile(options.pidFile));
  session.endsOrderly();
  letYoungSpaceGrow();
  (tell ?? ((report: Report) => print(session, options, report)))(reportOf(subject, sockets, options));
  await Promise.race([allGone.promise, aborted(session.signal)]);
}

function reportOf(subject: Subject, sockets: readonly NbdSocket[], options: NbdOptions): Report {
  const { title, exportName } = subject;
  const until = options.persistent === true ? 'until it is ended' : 'until the last client has gone';
  const messages = [`serving ${title}, ${until}`];
  const tls = options.tlsCreds === undefined ? {} : { tls: {} };
  if (options.tlsCreds === undefined && sockets.some(isOpenToOthers)) {
    messages.push('other machines may connect, without a password or encryption');
  }
  const uris = sockets.map((socket) => describeAddress({ socket, exportName: exportName ?? '', ...tls }));
  return { pid: process.pid, uris, messages };
}

function print({ output }: Session, { json }: NbdOptions, { pid, uris, messages }: Report): void {
  for (const message of messages) output.say(printable(message));
  if (json === true) output.printJson({ pid, uris });
  else output.printLines(uris);
}

/** What hits the disk is said always; what a client does wrong is its own affair, and told who asks for it. */
function sayOfClient({ output }: Session, { verbose }: NbdOptions, error: unknown): void {
  const isOfClient = CalveError.is(error, 'closed') || CalveError.is(error, 'invalid');
  if (isOfClient && verbose !== true) return;
  output.warn(printable(`a client: ${error instanceof Error ? error.message : String(error)}`));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
