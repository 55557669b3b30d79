import { CalveError } from '../../errors/index.ts';

/** The first file descriptor that is passed (sd_listen_fds(3)). */
const FIRST = 3;
/** More are a mistake in the environment. */
const MOST = 64;

/**
 * The listening sockets that a service manager passed to this process, as file descriptors; none where there is none
 * (sd_listen_fds(3)). The variables that tell are taken out of the environment: they are not meant for children.
 * @throws CalveError `usage` when the variables make no sense
 */
export function activatedSockets(environment: NodeJS.ProcessEnv = process.env): number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: fds } = environment;
  // Meant for a process that was between the manager and this one.
  if (pid === undefined || fds === undefined || pid !== String(process.pid)) return [];
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name];
  const count = /^\d{1,3}$/.test(fds) ? Number(fds) : Number.NaN;
  if (!(count >= 1 && count <= MOST)) {
    throw new CalveError('usage', `LISTEN_FDS: expected 1 to ${MOST}, got ${JSON.stringify(fds)}`);
  }
  return Array.from({ length: count }, (_, at) => FIRST + at);
}
