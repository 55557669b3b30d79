import { type CopyReport, copyOut, hostDestination, lastName } from '../../guestfs/index.ts';
import type { Session } from '../session.ts';
import { withGuestTree } from '../with-guest-tree.ts';

/** A copy out of an environment or a version. */
export interface OutwardCopy {
  readonly name: string;
  /** In the guest; several go into one folder. */
  readonly paths: readonly string[];
  /** On the host. */
  readonly destination: string;
  readonly partition?: string | undefined;
  /** What was copied is on the host's device when this returns (default false). */
  readonly durable?: boolean;
}

/** Copies files and trees out of a guest to the host. Returns what was done, for each path. */
export async function copyFromGuest(session: Session, copy: OutwardCopy): Promise<CopyReport[]> {
  const { name, paths, destination, partition, durable = false } = copy;
  const reports: CopyReport[] = [];
  await withGuestTree(session, name, partition, async ({ tree }) => {
    for (const path of paths) {
      const inode = await tree.lookup(path, { follow: false });
      const source = { name: lastName(Buffer.from(path)), isDirectory: inode.type === 'directory' };
      const target = hostDestination(destination, source);
      using folder = target.folder;
      const { signal, output } = session;
      const report = await output.during(`${name}:${path}`, (onProgress) =>
        copyOut(tree, inode, target, {
          signal,
          onProgress: (done) => onProgress({ phase: 'reading', done, total: 0 }),
        }),
      );
      if (durable) await folder.syncFileSystem();
      reports.push(report);
    }
  });
  return reports;
}
