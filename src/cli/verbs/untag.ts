import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** `calve untag REF…` */
export const untag: Verb = {
  examples: [{ line: 'calve untag web:base', does: 'the version stays until gc finds it unused' }],
  declare: (command, session) => {
    command.argument('<ref...>', 'the names to remove').action(async (names: string[]) => {
      const store = await session.openStore();
      // All are looked up before the first is touched: a mistyped name removes nothing.
      for (const name of names) await store.refs.get(name);
      for (const name of names) {
        const { name: removed, version } = await store.refs.remove(name, { command: 'untag' });
        const was = shortDigest(version);
        session.output.say(`removed ${removed}, which named ${was}; to undo: calve tag ${was} ${removed}`);
      }
    });
  },
};
