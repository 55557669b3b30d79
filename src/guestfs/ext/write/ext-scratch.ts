import { join } from 'node:path';
import { type Disk, openRawDisk } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';
import { type HostFile, openFile } from '../../../host/index.ts';
import type { BlockSet } from '../block-set.ts';
import { corrupt } from '../corrupt.ts';
import type { ExtTree } from '../ext-tree.ts';
import { INCOMPAT, RO_COMPAT } from '../features.ts';
import { openExt, readSuperblock } from '../open-ext.ts';
import type { Superblock } from '../superblock.ts';
import { CopyingDisk } from './copying-disk.ts';
import { fillScratch } from './fill-scratch.ts';
import { runE2fsprogs } from './run-e2fsprogs.ts';

/** The kernel keeps the file, too: several views of it are open at a time. */
const KEPT_BYTES = 2 << 20;

/** A scratch that is looked into. */
export interface ScratchView extends AsyncDisposable {
  readonly tree: ExtTree;
}

/** A sparse file of a file system's size that holds its metadata alone, on which e2fsprogs works. */
export class ExtScratch {
  readonly path: string;
  /** The blocks that came from the disk; what else is in use there is not here. */
  readonly copied: BlockSet;
  readonly superblock: Superblock;

  private constructor(path: string, copied: BlockSet, superblock: Superblock) {
    this.path = path;
    this.copied = copied;
    this.superblock = superblock;
  }

  /**
   * Makes one; a journal that has to be replayed is, and inodes that waited for that are freed.
   *
   * @param disk the file system; only read, stays open
   * @param folder is there, for files that the caller removes
   * @throws CalveError `corrupt`; `unsupported` by feature, or without e2fsprogs; `no-space`, `aborted`
   */
  static async make(
    disk: Disk,
    folder: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<ExtScratch> {
    const path = join(folder, name);
    const { blockSize, incompat, hasOrphans, roCompat } = await readSuperblock(disk);
    if (roCompat & RO_COMPAT.quota) {
      throw new CalveError(
        'unsupported',
        'the file system keeps quotas (quota), which would not count what is written',
        {
          hint: 'start the guest, and copy there',
        },
      );
    }
    let copied: BlockSet;
    {
      await using file = await openFile(path, { create: true, mode: 0o600 });
      await file.truncate(disk.size);
      await using copying = new CopyingDisk(disk, file, blockSize);
      await fillScratch(copying, signal);
      copied = copying.copied;
    }
    if (incompat & INCOMPAT.needsRecovery || hasOrphans) await replay(path, signal);
    await using raw = await openRawDisk(path, { lock: false });
    return new ExtScratch(path, copied, await readSuperblock(raw));
  }

  /** The scratch's files as they are now. */
  async open(): Promise<ScratchView> {
    const raw = await openRawDisk(this.path, { lock: false });
    try {
      const tree = await openExt(raw, 0, { keptBytes: KEPT_BYTES });
      const close = async (): Promise<void> => {
        await tree.close();
        await raw.close();
      };
      return { tree, [Symbol.asyncDispose]: close };
    } catch (error) {
      await raw.close();
      throw error;
    }
  }

  /** Does something with the scratch's files as they are now. */
  async reading<Result>(action: (tree: ExtTree) => Promise<Result>): Promise<Result> {
    await using view = await this.open();
    return await action(view.tree);
  }

  /** The scratch's bytes. */
  openFile(): Promise<HostFile> {
    return openFile(this.path);
  }

  /** Does something with the scratch's bytes. */
  async writing<Result>(action: (file: HostFile) => Promise<Result>): Promise<Result> {
    await using file = await openFile(this.path, { writable: true });
    return await action(file);
  }

  /** What e2fsck has to say against the file system; undefined when nothing. */
  async fault(signal: AbortSignal | undefined): Promise<string | undefined> {
    const { said, code } = await runE2fsprogs('e2fsck', ['-f', '-n', this.path], signal);
    if (code === 0) return undefined;
    const lines = said
      .split('\n')
      .filter((line) => line !== '' && !/^(e2fsck \d|Pass \d|.*WARNING)/.test(line));
    return lines[0] ?? `exit ${code}`;
  }
}

async function replay(path: string, signal: AbortSignal | undefined): Promise<void> {
  const { said, code } = await runE2fsprogs('e2fsck', ['-p', path], signal);
  // 1: something was put right, as it is by every start.
  if (code === 0 || code === 1) return;
  throw corrupt('journal', `e2fsck cannot replay it safely: ${said.trim().split('\n').at(-1) ?? code}`);
}
