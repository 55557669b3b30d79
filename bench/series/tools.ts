import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Program, succeed } from '../../test/support/programs.ts';
import { programPath } from './program-path.ts';

/** Something that keeps the states of a disk. */
export interface Tool {
  readonly name: string;
  /** Makes an empty place to keep states in. Not measured. */
  readonly begin: (folder: string) => Promise<void>;
  /** The commands that add a state; `before` is the number of the state before, 0 for the first. */
  readonly add: (folder: string, state: string, before: number) => Command[];
}

/** A command line, with what is added to the environment. */
interface Command {
  readonly program: Program | `/${string}`;
  readonly args: string[];
  readonly env?: Record<string, string>;
}

/** As it is installed: compiled. */
const MAIN = fileURLToPath(new URL('../../dist/program/calve.js', import.meta.url));
const NODE = process.execPath as `/${string}`;

const calve: Tool = {
  name: 'calve import --onto auto',
  begin: (folder) => mkdir(folder).then(() => {}),
  add: (folder, state, before) => [
    {
      program: NODE,
      args: [
        MAIN,
        '-q',
        '--store',
        join(folder, 'store'),
        'import',
        '--onto',
        'auto',
        state,
        `s:${before + 1}`,
      ],
    },
  ],
};

/**
 * A chain of differences. What differs from the state before is found by a rebase of an empty overlay, the only one of
 * its commands that compares data; then it is packed, on all cores, clusters in any order: as fast as it can.
 */
const qemuImg: Tool = {
  name: 'qemu-img rebase, convert -c -B, zstd',
  begin: (folder) => mkdir(folder).then(() => {}),
  add: (folder, state, before) => {
    const [target, overlay] = [join(folder, `${before + 1}.qcow2`), `${folder}.cache/overlay.qcow2`];
    const backing = ['-F', 'qcow2', join(folder, `${before}.qcow2`)];
    const qemu = (...args: string[]): Command => ({ program: 'qemu-img', args });
    const pack = (source: string, format: string, ...options: string[]): Command =>
      qemu(
        ...['convert', '-c', '-W', '-m', '8', '-O', 'qcow2', '-o', 'compression_type=zstd', '-f', format],
        ...[...options, source, target],
      );
    if (before === 0) return [pack(state, 'raw')];
    return [
      qemu('create', '-q', '-f', 'qcow2', '-b', state, '-F', 'raw', overlay),
      qemu('rebase', '-f', 'qcow2', ...backing.slice(0, 2), '-b', ...backing.slice(2), overlay),
      pack(overlay, 'qcow2', '-B', ...backing.slice(2), ...backing.slice(0, 2)),
    ];
  },
};

/** Content-defined chunks; repositories of version 2 compress with zstd. */
const restic: Tool = {
  name: 'restic',
  begin: async (folder) => {
    await mkdir(folder);
    await succeed(programPath('restic'), ['init', '-q', '--repository-version', '2'], {
      env: resticEnv(folder),
    });
  },
  add: (folder, state) => [
    {
      program: programPath('restic'),
      args: ['backup', '-q', '--host', 'bench', state],
      env: resticEnv(folder),
    },
  ],
};

function resticEnv(folder: string): Record<string, string> {
  return {
    RESTIC_PASSWORD: 'bench',
    RESTIC_REPOSITORY: join(folder, 'repository'),
    // Beside what is counted: a cache is not storage.
    RESTIC_CACHE_DIR: `${folder}.cache`,
  };
}

/** Chunks of 64 KiB as calve's clusters; holes are skipped. */
const borg: Tool = {
  name: 'borg, fixed 64 KiB, zstd',
  begin: async (folder) => {
    await mkdir(folder);
    await succeed(programPath('borg'), ['init', '-e', 'none', join(folder, 'repository')], {
      env: borgEnv(folder),
    });
  },
  add: (folder, state, before) => [
    {
      program: programPath('borg'),
      args: [
        ...['create', '--chunker-params', 'fixed,65536', '--sparse', '--compression', 'zstd'],
        ...[`${join(folder, 'repository')}::${before + 1}`, state],
      ],
      env: borgEnv(folder),
    },
  ],
};

function borgEnv(folder: string): Record<string, string> {
  return { BORG_BASE_DIR: `${folder}.cache`, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' };
}

/** Content-defined chunks of 64 KiB on average, zstd. */
const casync: Tool = {
  name: 'casync, zstd',
  begin: (folder) => mkdir(folder).then(() => {}),
  add: (folder, state, before) => [
    {
      program: programPath('casync'),
      args: [
        ...['make', '--compression=zstd', `--store=${join(folder, 'store.castr')}`],
        ...[join(folder, `${before + 1}.caibx`), state],
      ],
    },
  ],
};

/** Calve first, then its peers. */
export const tools: readonly [Tool, ...Tool[]] = [calve, qemuImg, restic, borg, casync];
