import { CalveError } from '../../../errors/index.ts';
import { printablePath } from '../../printable-path.ts';
import { DebugfsSession, dotted, words } from './debugfs-session.ts';
import type { ExtScratch } from './ext-scratch.ts';
import { namesIn, settleLinks } from './settle-attributes.ts';

/** A further name for a file that is there. */
export interface NewLink {
  readonly path: Buffer;
  /** The inode of the directory that it lies in. */
  readonly parent: number;
  /** The name that it has there for now; nothing else has. */
  readonly as: Buffer;
  readonly file: {
    readonly number: number;
    /** How many the file has with this one and all others. */
    readonly names: number;
  };
}

/** Gives files further names, and reads these again. @throws CalveError `no-space`, `io`, `aborted` */
export async function giveLinks(
  scratch: ExtScratch,
  links: readonly NewLink[],
  signal: AbortSignal | undefined,
): Promise<void> {
  {
    await using session = await DebugfsSession.open(scratch.path, signal);
    let here = 0;
    for (const { parent, as, file } of links) {
      if (parent !== here) session.give(Buffer.from(`cd <${parent}>`));
      here = parent;
      // `ln` finds no room in a directory that is full, where making a symlink grows it; what is removed leaves its room.
      session.give(words('symlink', dotted(as), Buffer.from('x')));
      session.give(words('rm', dotted(as)));
      session.give(words(`ln <${file.number}>`, dotted(as)));
    }
    await session.end();
  }
  await settleLinks(scratch, new Map(links.map(({ file }) => [file.number, file.names])));
  await scratch.reading(async (tree) => {
    for (const [parent, those] of Map.groupBy(links, (link) => link.parent)) {
      const names = await namesIn(tree, parent);
      for (const { as, file, path } of those) {
        if (names.get(as.toString('latin1')) === file.number) continue;
        throw new CalveError(
          'io',
          `${printablePath(path)}: debugfs did not make it a name of inode ${file.number}`,
        );
      }
    }
  });
}
