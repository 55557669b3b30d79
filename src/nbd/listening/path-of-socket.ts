import { fstatSync, readFileSync } from 'node:fs';
import { errnoOf, systemError } from '../../errors/index.ts';

/**
 * The path that an open unix socket was bound to, as it was said then; undefined where the kernel does not tell (proc(5),
 * /proc/net/unix: the inode, then the path, where a leading @ stands for NUL).
 */
export function pathOfSocket(fd: number): string | undefined {
  let sockets: string;
  try {
    sockets = readFileSync('/proc/net/unix', 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw systemError('cannot read /proc/net/unix', error);
  }
  const { ino } = fstatSync(fd, { bigint: true });
  const [, path] = new RegExp(`^\\S+: (?:\\S+ ){5} *${ino} (.+)$`, 'm').exec(sockets) ?? [];
  return path?.replace(/^@/, '\0');
}
