import { resolve } from 'node:path';
import type { Verb } from '../verb.ts';

/** `calve init [DIR]` */
export const init: Verb = {
  examples: [
    { line: 'calve init', does: 'the default store, in ~/.local/share/calve' },
    { line: 'calve init /srv/disks', does: 'a store of its own; use it with --store or $CALVE_STORE' },
    { line: 'calve init --immutable', does: 'as root: layers that not even root writes by mistake' },
  ],
  declare: (command, session) => {
    command
      .argument('[dir]', 'the folder of the store (default: as --store)')
      .option('--immutable', 'make layers immutable besides (chattr +i): not even root writes one by mistake')
      .option('--no-immutable', 'lift that, from the layers that are there too')
      .action(async (dir: string | undefined, { immutable }: { readonly immutable?: boolean }) => {
        const { openStore } = await import('../../store/index.ts');
        const store = await openStore(dir === undefined ? session.globals.store : resolve(dir), {
          create: true,
        });
        if (immutable !== undefined) await store.config.set('immutable', immutable);
        session.output.say('the store is ready');
        session.output.print(store.folder);
      });
  },
};
