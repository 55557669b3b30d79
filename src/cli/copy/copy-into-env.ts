import { CalveError } from '../../errors/index.ts';
import {
  type CopyReport,
  changesIn,
  chooseVolume,
  emptyReport,
  listVolumes,
  writerFor,
  writeVolume,
} from '../../guestfs/index.ts';
import type { Session } from '../session.ts';
import { resolveTarget } from '../target.ts';

/** A copy into an environment. */
export interface InwardCopy {
  readonly name: string;
  /** On the host; several go into one directory. */
  readonly sources: readonly string[];
  /** In the guest. */
  readonly destination: string;
  readonly partition?: string | undefined;
}

/** Copies files and trees of the host into an environment: all of it or nothing. Returns what was done. */
export async function copyIntoEnv(session: Session, copy: InwardCopy): Promise<CopyReport> {
  const { name, sources, destination, partition } = copy;
  const { signal, output } = session;
  const store = await session.openStore();
  const target = await resolveTarget(session, store, name);
  if (target.kind !== 'env') {
    throw new CalveError('denied', `${name} is a version, which nothing changes`, {
      hint: `calve new ${name}, then copy into that environment and commit it`,
    });
  }
  return output.during(`${target.name}:${destination}`, (onProgress) =>
    store.envs.change(
      target.name,
      async (disk, folder) => {
        const report = emptyReport();
        const volume = await chooseVolume(await listVolumes(disk), partition);
        writerFor(volume);
        await using tree = await volume.open();
        const changes = changesIn({ tree, sources, destination, signal, report });
        await writeVolume(disk, volume, changes, {
          folder,
          signal,
          onProgress: (done) => onProgress({ phase: 'writing', done, total: 0 }),
          onLostAttributes: (count) => {
            report.lostAttributes += count;
          },
        });
        return report;
      },
      { signal, onProgress },
    ),
  );
}
