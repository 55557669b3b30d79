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

/** As `imageLockHolders`, of a file that was looked at before. */
export function lockHoldersOf(file: FileIdentity): LockHolder[] {
  return lockHoldersOfAll([file])[0] ?? [];
}

/** As `lockHoldersOf`, of many files for the price of one; in their order. */
export function lockHoldersOfAll(files: readonly FileIdentity[]): LockHolder[][] {
  const inodes = lockedInodes();
  const asked = new Map<string, LockHolder[]>();
  const all = files.map((file): LockHolder[] => {
    if (!inodes.has(file.inode)) return [];
    const key = keyOf(file.device, file.inode);
    const holders = asked.get(key) ?? [];
    asked.set(key, holders);
    return holders;
  });
  if (asked.size === 0) return all;
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const [file, locks] of locksOf(pid, asked)) {
      const writing = locks.some(({ start, end }) => start <= WRITING && WRITING <= end);
      asked
        .get(file)
        ?.push({ pid: Number(pid), command: commandOf(pid), access: writing ? 'write' : 'read' });
    }
  }
  return all;
}

function keyOf(device: bigint, inode: bigint): string {
  return `${device}:${inode}`;
}

/**
 * The inodes that some process has a lock on, of whatever device. proc(5), /proc/locks:
 * `1: OFDLCK ADVISORY READ -1 08:01:1234 100 101`; open file descriptions stand there without pid.
 */
function lockedInodes(): Set<bigint> {
  return new Set(
    [...read('/proc/locks').matchAll(/ \w+:\w+:(\d+) /g)].map(([, inode = '0']) => BigInt(inode)),
  );
}

interface LockedRange {
  /** Both in it. */
  readonly start: number;
  readonly end: number;
}

/** The byte ranges that a process has locked in those of the asked files that it has open. */
function locksOf(pid: string, asked: ReadonlyMap<string, unknown>): Map<string, LockedRange[]> {
  const found = new Map<string, LockedRange[]>();
  for (const fd of list(`/proc/${pid}/fd`)) {
    const file = fileAt(`/proc/${pid}/fd/${fd}`);
    if (file === undefined || !asked.has(file)) continue;
    // `lock: 1: OFDLCK ADVISORY READ -1 08:01:1234 100 101`, the last word EOF when the range has no end.
    for (const [, start, end] of read(`/proc/${pid}/fdinfo/${fd}`).matchAll(
      /^lock:.* OFDLCK .* (\d+) (\w+)$/gm,
    )) {
      const range = { start: Number(start), end: end === 'EOF' ? Number.POSITIVE_INFINITY : Number(end) };
      const ranges = found.get(file);
      if (ranges === undefined) found.set(file, [range]);
      else ranges.push(range);
    }
  }
  return found;
}

function fileAt(path: string): string | undefined {
  try {
    const stats = statSync(path, { bigint: true });
    return keyOf(stats.dev, stats.ino);
  } catch {
    return undefined; // closed meanwhile, or not ours to look at
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
