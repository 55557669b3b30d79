import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CalveError, systemError } from '../../errors/index.ts';

/**
 * Beside guestfish waits a shell that reads from descriptor 3 and is never sent anything: when that ends, because calve let go of it or died, it
 * takes the folder away and kills the whole group: guestfish, the virtual machine and what else there is. `cat` makes
 * guestfish's output a pipe, which it can open by name (`-`); what Node has in its place is a socket.
 * The end of guestfish is the end of that output, and the end of all is that of the first shell.
 */
const SCRIPT = `
(read -r line <&3; rm -rf -- "$1"; kill -KILL 0) </dev/null >/dev/null 2>&1 &
exec 3<&-
shift
"$@" | cat
exec >&- 2>&-
wait`;

/** What would fill the answers with talk. */
const TALKATIVE = ['LIBGUESTFS_DEBUG', 'LIBGUESTFS_TRACE'];

/** A guestfish that reads commands from its standard input. */
export interface GuestfishProcess {
  readonly child: ChildProcess;
  /** Ends it at once, with all that it started. */
  kill(): void;
}

/**
 * Starts guestfish, in a process group of its own.
 *
 * @param folder for what it and the virtual machine keep; goes away with them
 * @param what it is for, in an error
 * @throws CalveError `unsupported` where it is not installed
 */
export async function startGuestfish(folder: string, what: string): Promise<GuestfishProcess> {
  const program = findGuestfish();
  if (program === undefined) {
    throw new CalveError(
      'unsupported',
      `calve reads ${what} through libguestfs, and its program guestfish is not installed`,
      { hint: 'apt-get install libguestfs-tools (Debian, Ubuntu), dnf install guestfs-tools (Fedora)' },
    );
  }
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', folder, program, '--ro'], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: environment(folder),
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw systemError('cannot run guestfish', error);
  }
  const lifeline = child.stdio[3];
  // Writing to what was killed is told by its end.
  child.stdin?.on('error', () => {});
  lifeline?.on('error', () => {});
  return { child, kill: () => void lifeline?.destroy() };
}

function findGuestfish(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, 'guestfish')).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The user's own settings of libguestfs count; without libvirt it needs nothing but QEMU. */
function environment(folder: string): NodeJS.ProcessEnv {
  const given = Object.entries(process.env).filter(([name]) => !TALKATIVE.includes(name));
  return {
    LIBGUESTFS_BACKEND: 'direct',
    ...Object.fromEntries(given),
    // Its sockets and the overlay of what the guest's kernel writes, which must go with it.
    LIBGUESTFS_TMPDIR: folder,
    XDG_RUNTIME_DIR: folder,
    LC_ALL: 'C',
  };
}
