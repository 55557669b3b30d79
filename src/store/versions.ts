import type { Disk } from '../disk/index.ts';
import type { DiskDifference } from '../guestfs/index.ts';
import type { BlockDifference } from '../img/index.ts';
import type { StoreContext } from './context.ts';
import type {
  ExportOptions,
  FileContentsOptions,
  FileDiffOptions,
  ImportOptions,
  LogOptions,
} from './options.ts';
import type { FileContents, ImportResult, VersionInfo, WorkOptions } from './types.ts';

/**
 * Versions. An expression names one: REF, `sha256:…` or the first 6 or more hex digits of a digest, `X~N` (N first
 * parents back), `REF@{N}` (N moves of the ref ago), `ENV@base`.
 *
 * All throw CalveError `usage` for a malformed expression, `not-found`, and `changed` when a layer's bytes are not
 * what they were (`data`: layer, versions, refs, envs).
 */
export class Versions {
  readonly #context: StoreContext;
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /**
   * Makes a version of a disk image, or of what an NBD server exports: `nbd://HOST/EXPORT` in place of a file.
   * @throws CalveError `in-use`, `unsupported` by the name of what cannot be kept, `exists`, `diverged`, `no-space`
   */
  async import(file: string, options: ImportOptions = {}): Promise<ImportResult> {
    const { importDisk } = await import('./import-disk.ts');
    return importDisk(this.#context, file, options);
  }

  async get(expression: string): Promise<VersionInfo> {
    const { getVersion } = await import('./get-version.ts');
    return getVersion(this.#context, expression);
  }

  /**
   * The version and its ancestors, newest first, each read when it is asked for.
   * @param expression without it, those of every ref
   */
  async *log(expression?: string, options: LogOptions = {}): AsyncGenerator<VersionInfo> {
    const { path, limit } = options;
    if (path === undefined) {
      const { logVersions } = await import('./log-versions.ts');
      yield* logVersions(this.#context, expression, limit);
    } else {
      const { logPath } = await import('./log-path.ts');
      yield* logPath(this.#context, expression, { ...options, path });
    }
  }

  /** The version's disk, verified, for reading. */
  async openDisk(expression: string): Promise<Disk> {
    const { openVersionDisk } = await import('./version-disk.ts');
    return openVersionDisk(this.#context, expression);
  }

  /** The file that QEMU opens for this version, which it must open read-only. */
  async path(expression: string): Promise<string> {
    const { versionPath } = await import('./version-disk.ts');
    return versionPath(this.#context, expression);
  }

  /** Checks every layer of the chain: a stat each where the stamp holds, a whole hash where not. */
  async verify(expression: string, options: WorkOptions = {}): Promise<void> {
    const { verifyVersion } = await import('./version-disk.ts');
    return verifyVersion(this.#context, expression, options);
  }

  /**
   * Writes the disk of a version, or of the env of this name, as one flat file, or over what an NBD server exports
   * (`nbd://HOST/EXPORT`).
   */
  async export(target: string, file: string, options: ExportOptions = {}): Promise<void> {
    const { exportDisk } = await import('./export-disk.ts');
    return exportDisk(this.#context, target, file, options);
  }

  /**
   * The blocks in which two versions or envs differ, in order; without `b`, an env against its version, or a version
   * against its first parent. Only what the chains do not share is read.
   */
  async *diffBlocks(a: string, b?: string, options: WorkOptions = {}): AsyncGenerator<BlockDifference> {
    const { diffBlocks } = await import('./block-diff.ts');
    yield* diffBlocks(this.#context, a, b, options);
  }

  /**
   * The files in which two versions or envs differ; of partitions whose files cannot be read, how many bytes of blocks.
   * Without `b` as `diffBlocks`. Costs what changed, and the names of all files.
   * @throws CalveError `corrupt` for a file system that is; `not-found` for a partition; `unsupported`
   */
  async *diffFiles(a: string, b?: string, options: FileDiffOptions = {}): AsyncGenerator<DiskDifference> {
    const { diffFiles } = await import('./file-diff.ts');
    yield* diffFiles(this.#context, a, b, options);
  }

  /**
   * A regular file in two versions or envs, symlinks followed; without `b` as `diffBlocks`.
   * @throws CalveError `not-found` when neither has it, `usage` when it is no regular file
   */
  async fileContents(
    a: string,
    b: string | undefined,
    path: string,
    options: FileContentsOptions,
  ): Promise<FileContents> {
    const { fileContents } = await import('./file-contents.ts');
    return fileContents(this.#context, a, b, path, options);
  }
}
