import type { WritableDisk } from '../disk/index.ts';
import type { StoreContext } from './context.ts';
import type { CommitOptions, CreateOptions } from './options.ts';
import type {
  CommitResult,
  EnvInfo,
  EnvStatus,
  ResetResult,
  TrashInfo,
  UnsavedFiles,
  WorkOptions,
} from './types.ts';

/**
 * Environments. All throw CalveError `not-found`; what changes one throws `in-use`, with the holders in
 * `data.holders`, while somebody has its overlay open.
 */
export class Envs {
  readonly #context: StoreContext;
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /**
   * Makes environments on a version: one, called `name` or a made-up name; or `count` of them, called `name-1` … or
   * made-up names. All or none. A version that only a remote has (`HOST/team/debian:12`) is pulled first.
   * @throws CalveError `usage`, `not-found`, `exists`, `changed`, `no-space`; as `remotes.pull`
   */
  async create(expression: string, options: CreateOptions = {}): Promise<EnvInfo[]> {
    const { createEnvs } = await import('./create-env.ts');
    return createEnvs(this.#context, expression, options);
  }

  /** Every environment, by name. Takes no lock. */
  async list(): Promise<EnvInfo[]> {
    const { listEnvs } = await import('./list-envs.ts');
    return listEnvs(this.#context);
  }

  async get(name: string): Promise<EnvInfo> {
    const { getEnv } = await import('./list-envs.ts');
    return getEnv(this.#context, name);
  }

  /** What is not committed. Takes no lock. */
  async status(name: string): Promise<EnvStatus> {
    const { envStatus } = await import('./env-status.ts');
    return envStatus(this.#context, name);
  }

  /**
   * The files of the env that are saved in no version, as far as its version tells. Takes no lock.
   * @throws CalveError `in-use` while somebody has it open; `corrupt` for a file system that is
   */
  async unsavedFiles(name: string, options: WorkOptions = {}): Promise<UnsavedFiles> {
    const { unsavedFiles } = await import('./unsaved-files.ts');
    return unsavedFiles(this.#context, name, options);
  }

  /**
   * Makes a version of what the env changed; the env then stands on it, with nothing changed.
   * @throws CalveError `unchanged`, `diverged`, `in-use`, `changed`, `no-space`
   */
  async commit(name: string, options: CommitOptions = {}): Promise<CommitResult> {
    const { commitEnv } = await import('./commit-env.ts');
    return commitEnv(this.#context, name, options);
  }

  /** Drops what the env changed, through the trash; onto another version if one is named. */
  async reset(name: string, expression?: string): Promise<ResetResult> {
    const { resetEnv } = await import('./reset-env.ts');
    return resetEnv(this.#context, name, expression);
  }

  /** Moves the env to the trash; with `force` deletes it and returns null. */
  async remove(
    name: string,
    options: { readonly force?: boolean | undefined } = {},
  ): Promise<TrashInfo | null> {
    return (await this.removeMany([name], options))[0] ?? null;
  }

  /** As `remove`, of several: all or none. Returns what is in the trash now; nothing with `force`. */
  async removeMany(
    names: readonly string[],
    options: { readonly force?: boolean | undefined } = {},
  ): Promise<TrashInfo[]> {
    const { removeEnvs } = await import('./remove-env.ts');
    return removeEnvs(this.#context, names, options.force ?? false);
  }

  /** The file that QEMU opens for this env. */
  async path(name: string): Promise<string> {
    const { envPath } = await import('./list-envs.ts');
    return envPath(this.#context, name);
  }

  /** The env's disk, its base verified; closing it lets go of the overlay's lock. */
  async openDisk(
    name: string,
    options: { readonly writable?: boolean | undefined } = {},
  ): Promise<WritableDisk> {
    const { openEnvDisk } = await import('./env-disk.ts');
    return openEnvDisk(this.#context, name, options.writable ?? false);
  }

  /**
   * Changes the env's disk as a whole or not at all, whatever ends the process meanwhile: the action writes to a copy of
   * the overlay, which takes the overlay's place when it is durable. Takes as much room again as the overlay does
   * where the file system has no reflinks.
   * @param action is given the disk, and an empty folder that is removed afterwards; what it throws is thrown on, and
   *   nothing has happened
   * @throws CalveError `in-use`, `changed`, `no-space`, `aborted`
   */
  async change<Result>(
    name: string,
    action: (disk: WritableDisk, folder: string) => Promise<Result>,
    options: WorkOptions = {},
  ): Promise<Result> {
    const { changeEnv } = await import('./change-env.ts');
    return changeEnv(this.#context, name, action, options);
  }
}
