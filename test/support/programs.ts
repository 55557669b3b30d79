import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The outside programs that the tests run, with the Debian package that brings each. */
export const PACKAGES = {
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  mke2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  debugfs: 'e2fsprogs',
  debootstrap: 'debootstrap',
  busybox: 'busybox-static',
  skopeo: 'skopeo',
  cpio: 'cpio',
  modprobe: 'kmod',
  depmod: 'kmod',
  xz: 'xz-utils',
  zstd: 'zstd',
  flock: 'util-linux',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  lsattr: 'e2fsprogs',
  xmllint: 'libxml2-utils',
  mount: 'mount',
  umount: 'mount',
  losetup: 'mount',
  sync: 'coreutils',
  strace: 'strace',
  cp: 'coreutils',
  dd: 'coreutils',
  mv: 'coreutils',
  rsync: 'rsync',
  nbdkit: 'nbdkit',
  nbdinfo: 'libnbd-bin',
  openssl: 'openssl',
  nbdcopy: 'libnbd-bin',
  nbdsh: 'python3-libnbd',
  python3: 'python3-minimal',
  getfattr: 'attr',
  setfattr: 'attr',
  getfacl: 'acl',
  setfacl: 'acl',
  sfdisk: 'fdisk',
  mkswap: 'util-linux',
  blkid: 'util-linux',
  'mkfs.fat': 'dosfstools',
  'fsck.fat': 'dosfstools',
  mcopy: 'mtools',
  mmd: 'mtools',
  mdel: 'mtools',
  mattrib: 'mtools',
  sgdisk: 'gdisk',
  xorriso: 'xorriso',
  genisoimage: 'genisoimage',
  bsdtar: 'libarchive-tools',
  fallocate: 'util-linux',
  patch: 'patch',
  guestfish: 'libguestfs-tools',
  'mkfs.xfs': 'xfsprogs',
  'mkfs.btrfs': 'btrfs-progs',
  btrfs: 'btrfs-progs',
  pvcreate: 'lvm2',
  vgcfgrestore: 'lvm2',
  mknod: 'coreutils',
  mkfifo: 'coreutils',
  chown: 'coreutils',
  chmod: 'coreutils',
  touch: 'coreutils',
  rm: 'coreutils',
  'docker-registry': 'docker-registry',
  htpasswd: 'apache2-utils',
} as const;

export type Program = keyof typeof PACKAGES;

// System programs lie outside an ordinary user's PATH on Debian.
const { PATH = '' } = process.env;
const FOLDERS = [...PATH.split(delimiter), '/usr/sbin', '/sbin'];

/** The full path of `program`, or undefined when the machine does not have it. */
export function findProgram(program: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface RunOptions {
  cwd?: string;
  /** Laid over this process's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Everything the program reads from its standard input; without it, nothing. */
  input?: string | Uint8Array;
  signal?: AbortSignal;
  /** Milliseconds until the program is killed and the run fails (default two minutes). */
  timeout?: number;
}

/** How a program ended. `code` is null when `signal` ended it. */
export interface Ran {
  command: string;
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Both, in the order in which they were written: known of a resident program alone. */
  shown?: string;
}

/** A program that is running: its process, what it printed so far, and how it will have ended. */
export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Ran>;
}

/**
 * Starts `program`: a name of the table above, or a path.
 * @throws when the program is missing, naming the package to install
 */
export function start(program: Program | `/${string}`, args: string[], options: RunOptions = {}): Running {
  const command = [program, ...args].join(' ');
  const path = program.startsWith('/') ? program : findProgram(program);
  if (path === undefined) {
    const name = program in PACKAGES ? PACKAGES[program as Program] : program;
    throw new Error(`${program} is missing: apt-get install --no-install-recommends ${name}`);
  }
  const child = spawn(path, args, {
    stdio: 'pipe',
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program may end without having read what it was given: that is its right.
  child.stdin.on('error', () => {});
  if (options.input !== undefined) child.stdin.end(options.input);

  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ command, code, signal, stdout: text(stdout), stderr: text(stderr) }),
    );
  });
  ended.catch(() => {});
  return { child, pid: child.pid ?? -1, stdout: () => text(stdout), stderr: () => text(stderr), ended };
}

/**
 * QEMU measures how fast it derives keys, and gives up when the kernel says that this took no time, which happens on a
 * busy machine. Nothing but another attempt helps.
 */
const QEMU_MEASURED_NOTHING = /Unable to get accurate CPU usage/;
const MOST_ATTEMPTS = 40;
const PAUSE_MS = 50;

/** Runs `program` to its end, whatever that is. A run past its timeout is killed and throws. */
export async function run(
  program: Program | `/${string}`,
  args: string[],
  options: RunOptions = {},
): Promise<Ran> {
  for (let attempt = 1; ; attempt += 1) {
    const running = start(program, args, { ...options, input: options.input ?? '' });
    const ran = await finish(running, options.timeout);
    if (!QEMU_MEASURED_NOTHING.test(ran.stderr) || attempt === MOST_ATTEMPTS) return ran;
    await pause(PAUSE_MS);
  }
}

/** Awaits the end of what runs. Past `timeout` (milliseconds, default two minutes) it is killed, and this throws. */
export async function finish(running: Running, timeout = 120_000): Promise<Ran> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    running.child.kill('SIGKILL');
  }, timeout);
  try {
    const ran = await running.ended;
    if (late) throw new Error(`not done after ${timeout} ms: ${report(ran)}`);
    return ran;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `program`, which must exit 0; resolves to its standard output. */
export async function succeed(
  program: Program | `/${string}`,
  args: string[],
  options: RunOptions = {},
): Promise<string> {
  const ran = await run(program, args, options);
  if (ran.code !== 0) throw new Error(report(ran));
  return ran.stdout;
}

/** A run as a person would want to see it in a failed test. */
export function report(ran: Ran): string {
  const how = ran.signal === null ? `exit ${ran.code}` : `killed by ${ran.signal}`;
  return `${ran.command}: ${how}\n${ran.stdout}${ran.stderr}`;
}
