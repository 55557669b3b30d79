import { chmod, cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, run } from '../support/programs.ts';

/** Where tests are run, and with what. */
export interface TestTree {
  /** The folder of `check`. */
  readonly tests: string;
  /** Environment of every test. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Copies QEMU's tests to where they may be run, and says with which programs: this one in the place of qemu-img, the
 * installed ones for everything else.
 * @param folder empty; its path is short, for sockets, and free of the names of formats, which the tests' filters replace
 */
export async function testTree(source: string, folder: string): Promise<TestTree> {
  const tree = join(folder, 'q');
  const tests = join(tree, 'tests', 'qemu-iotests');
  await mkdir(join(tree, 'tests'), { recursive: true });
  const copy = { recursive: true, verbatimSymlinks: true };
  await cp(join(source, 'tests', 'qemu-iotests'), tests, copy);
  for (const name of ['python', 'VERSION']) await cp(join(source, name), join(tree, name), copy);
  const programs = join(folder, 'p');
  await mkdir(programs);
  const environment = {
    QEMU_IMG_PROG: await imgProgram(programs),
    QEMU_IO_PROG: installed('qemu-io', 'qemu-utils'),
    QEMU_NBD_PROG: installed('qemu-nbd', 'qemu-utils'),
    QSD_PROG: installed('qemu-storage-daemon', 'qemu-system-common'),
    QEMU_PROG: await systemProgram(programs),
    ...(await finerClock(programs)),
  };
  return { tests, environment };
}

type Path = `/${string}`;

function installed(program: string, name: string): Path {
  const path = pathOf(program);
  if (path === undefined) throw new Error(`${program} is missing: apt-get install ${name}`);
  return path;
}

/** `CALVE_IMG`, else what `npm run build` made; under the name by which messages must begin. */
async function imgProgram(folder: string): Promise<string> {
  const wanted = process.env['CALVE_IMG'];
  if (wanted !== undefined) return wanted;
  const main = join(import.meta.dirname, '..', '..', 'dist', 'program', 'calve-img.js');
  const named = join(folder, 'named');
  await mkdir(named);
  await symlink(main, join(named, 'qemu-img'));
  return script(join(folder, 'qemu-img'), `exec '${process.execPath}' '${join(named, 'qemu-img')}' "$@"`);
}

/** Debian leaves out the accelerator `qtest`, whose point is a guest that does not run: one that halts does as well. */
async function systemProgram(folder: string): Promise<string> {
  const system = installed('qemu-system-x86_64', 'qemu-system-x86');
  const tried = await run(system, ['-nodefaults', '-display', 'none', '-accel', 'qtest', '-accel', 'help']);
  if (/^qtest$/m.test(tried.stdout)) return system;
  const firmware = join(folder, 'halt.bin');
  const bytes = Buffer.alloc(65_536, 0xf4);
  // At the reset vector: no interrupts, halt, and again.
  bytes.set([0xfa, 0xf4, 0xeb, 0xfd], 65_520);
  await writeFile(firmware, bytes);
  return script(
    join(folder, 'qemu-system-x86_64'),
    `args=() first= prev=
for word in "$@"; do
  if [ "$prev" = -accel ]; then
    : "\${first:=$word}"
    if [ "$word" != qtest ]; then args+=(-accel "$word")
    elif [ "$first" = qtest ]; then args+=(-accel tcg -bios '${firmware}')
    fi
  elif [ "$word" != -accel ]; then args+=("$word")
  fi
  prev=$word
done
exec '${system}' "\${args[@]}"`,
  );
}

/**
 * QEMU's own programs refuse to make a LUKS header when the processor time of a thread did not advance over a short
 * computation, which on a kernel that counts in ticks is a matter of luck. Where there is a compiler they get a finer clock.
 */
async function finerClock(folder: string): Promise<Record<string, string>> {
  const compiler = pathOf('cc');
  if (compiler === undefined) return {};
  const [from, library] = [join(folder, 'clock.c'), join(folder, 'clock.so')];
  await writeFile(from, CLOCK);
  const { code } = await run(compiler, ['-O1', '-shared', '-fPIC', '-o', library, from]);
  return code === 0 ? { LD_PRELOAD: library } : {};
}

const CLOCK = `#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int getrusage(__rusage_who_t who, struct rusage *usage) {
  int result = syscall(SYS_getrusage, who, usage);
  struct timespec now;
  if (result == 0 && who == RUSAGE_THREAD && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0) {
    usage->ru_stime = (struct timeval){0, 0};
    usage->ru_utime = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  }
  return result;
}
`;

function pathOf(program: string): Path | undefined {
  const path = findProgram(program);
  return path === undefined ? undefined : `/${path.replace(/^\//, '')}`;
}

async function script(path: string, body: string): Promise<string> {
  await writeFile(path, `#!/bin/bash\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}
