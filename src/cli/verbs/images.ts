import { formatBytes } from '../../bytes/index.ts';
import type { DfRef } from '../../store/index.ts';
import { formatAge } from '../age.ts';
import { shortDigest } from '../short-digest.ts';
import { type Column, formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

/** Shown only where there is one. */
const PROTECTED: Column<DfRef> = { title: 'PROTECTED', cell: (ref) => (ref.protected ? 'yes' : '') };

/** `calve images` */
export const images: Verb = {
  examples: [
    { line: 'calve images', does: 'refs, with the size that each has alone and shares' },
    { line: 'calve images -q', does: 'names only' },
  ],
  declare: (command, session) => {
    command.option('--json', 'print JSON (docs/json.md)').action(async (options: { json?: boolean }) => {
      const { output } = session;
      const store = await session.openStore();
      if (output.quiet && options.json !== true) return output.printNames(await store.refs.list());
      const { refs } = await store.df();
      if (options.json === true) return output.printJson(refs);
      output.printTable(
        formatTable(
          [
            { title: 'REF', cell: (ref) => ref.name },
            { title: 'VERSION', cell: (ref) => shortDigest(ref.version) },
            { title: 'CREATED', cell: (ref) => formatAge(ref.created) },
            { title: 'DISK', cell: (ref) => formatBytes(ref.virtualSize), align: 'right' },
            { title: 'OWN', cell: (ref) => formatBytes(ref.ownBytes), align: 'right' },
            { title: 'SHARED', cell: (ref) => formatBytes(ref.sharedBytes), align: 'right' },
            ...(refs.some((ref) => ref.protected) ? [PROTECTED] : []),
          ],
          refs,
        ),
      );
    });
  },
};
