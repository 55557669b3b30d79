import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { type FileStat, statFile } from './file-stat.ts';
import { USED, WRITE } from './image-permissions.ts';

/** A process that has an image locked. */
export interface LockHolder {
  readonly pid: number;
  /** The program's file name: `qemu-system-x86_64`. */
  readonly command: string;
  /** `write` where it may write the image. */
  readonly access: 'read' | 'write';
}

/** The byte that whoever may write an image has locked. */
const WRITING = USED + WRITE;

/** Which file, whatever it is called. */
export type FileIdentity = Pick<FileStat, 'device' | 'inode'>;

/**
 * The processes that hold QEMU's locks on an image, this one included, as far as this user may look into them.
 * None where there is no such file, and on a platform without /proc. Costs a read of /proc/locks where nothing is
 * locked, and a few milliseconds where something is.
 */
export function imageLockHolders(path: string): LockHolder[] {
  const file = statFile(path);
  return file ? lockHoldersOf(file) : [];
}

/** As `imageLockHolders`, of a file that is open. */
export function lockHoldersOf(file: FileIdentity): LockHolder[] {
  if (!mayBeLocked(file)) return [];
  const holders: LockHolder[] = [];
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const locks = locksOf(pid, file);
    if (locks.length === 0) continue;
    const writing = locks.some(({ start, end }) => start <= WRITING && WRITING <= end);
    holders.push({ pid: Number(pid), command: commandOf(pid), access: writing ? 'write' : 'read' });
  }
  return holders;
}

/** proc(5), /proc/locks: no line of any process names the inode. Open file descriptions stand there without pid. */
function mayBeLocked(file: FileIdentity): boolean {
  return read('/proc/locks').includes(`:${file.inode} `);
}

/** The byte ranges, both ends in them, that a process has locked in a file. */
function locksOf(pid: string, file: FileIdentity): { start: number; end: number }[] {
  const locks: { start: number; end: number }[] = [];
  for (const fd of list(`/proc/${pid}/fd`)) {
    if (!isSame(`/proc/${pid}/fd/${fd}`, file)) continue;
    // `lock: 1: OFDLCK ADVISORY READ -1 08:01:1234 100 101`, the last word EOF when the range has no end.
    for (const [, start, end] of read(`/proc/${pid}/fdinfo/${fd}`).matchAll(
      /^lock:.* OFDLCK .* (\d+) (\w+)$/gm,
    )) {
      locks.push({ start: Number(start), end: end === 'EOF' ? Number.POSITIVE_INFINITY : Number(end) });
    }
  }
  return locks;
}

function isSame(path: string, file: FileIdentity): boolean {
  try {
    const stats = statSync(path, { bigint: true });
    return stats.ino === file.inode && stats.dev === file.device;
  } catch {
    return false; // closed meanwhile, or not ours to look at
  }
}

/**
 * The base name of the program as it was called; the kernel's name for the process, cut to 15 bytes, fails that.
 * A process may call itself anything, and this goes to a terminal: control characters are left out.
 */
function commandOf(pid: string): string {
  const [program = ''] = read(`/proc/${pid}/cmdline`).split('\0');
  const command = basename(program) || read(`/proc/${pid}/comm`);
  return command.replace(/\p{Cc}/gu, '') || 'unknown';
}

/** Processes come and go, and some are not ours to look at: what cannot be read is empty. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
