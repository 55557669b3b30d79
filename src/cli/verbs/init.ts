import { resolve } from 'node:path';
import type { Verb } from '../verb.ts';

/** `calve init [DIR]` */
export const init: Verb = {
  examples: [
    { line: 'calve init', does: 'the default store, in ~/.local/share/calve' },
    { line: 'calve init /srv/disks', does: 'a store of its own; use it with --store or $CALVE_STORE' },
  ],
  declare: (command, session) => {
    command
      .argument('[dir]', 'the folder of the store (default: as --store)')
      .action(async (dir: string | undefined) => {
        const { openStore } = await import('../../store/index.ts');
        const store = await openStore(dir === undefined ? session.globals.store : resolve(dir), {
          create: true,
        });
        session.output.say('the store is ready');
        session.output.print(store.folder);
      });
  },
};
