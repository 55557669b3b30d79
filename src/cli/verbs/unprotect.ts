import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** `calve unprotect REF…` */
export const unprotect: Verb = {
  examples: [{ line: 'calve unprotect debian:12', does: 'it may move again' }],
  declare: (command, session) => {
    command.argument('<ref...>', 'the names').action(async (names: string[]) => {
      const store = await session.openStore();
      // All are looked up before the first is touched.
      for (const name of names) await store.refs.get(name);
      for (const each of names) {
        const { name, version } = await store.refs.unprotect(each);
        session.output.say(`${name} may move on from ${shortDigest(version)}`);
      }
    });
  },
};
