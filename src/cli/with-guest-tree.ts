import { listVolumes, type OpenedVolume, openChosenVolume } from '../guestfs/index.ts';
import type { Session } from './session.ts';
import { resolveTarget } from './target.ts';

/**
 * Opens a file system inside a disk for reading, does something with it, and closes all. The layers are verified
 * before, and again after: what was read is true only if nobody wrote into one meanwhile.
 *
 * @param name an environment, which nobody may be writing to, or a version
 * @param partition which file system; without it, the one that looks like the root
 */
export async function withGuestTree(
  session: Session,
  name: string,
  partition: string | undefined,
  action: (guest: OpenedVolume) => Promise<void>,
): Promise<void> {
  const { output, signal } = session;
  const store = await session.openStore();
  const target = await resolveTarget(session, store, name);
  await output.during(name, (onProgress) => store.versions.verify(target.version, { signal, onProgress }));
  await using disk =
    target.kind === 'env'
      ? await store.envs.openDisk(target.name)
      : await store.versions.openDisk(target.version);
  const { volume, tree: opened } = await openChosenVolume(await listVolumes(disk), partition, {
    signal,
    onStart: () => output.say('starting a virtual machine of libguestfs, which reads that file system'),
  });
  await using tree = opened;
  if (tree.replayedBlocks > 0) {
    output.say(
      `${name} was not shut down: its journal was replayed in memory, as the next start will do on the disk`,
    );
  }
  await action({ volume, tree });
  await store.versions.verify(target.version, { signal });
}
