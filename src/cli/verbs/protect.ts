import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** `calve protect REF…` */
export const protect: Verb = {
  examples: [
    { line: 'calve protect debian:12', does: 'nothing moves or removes debian:12, until it is unprotected' },
  ],
  declare: (command, session) => {
    command.argument('<ref...>', 'the names').action(async (names: string[]) => {
      const store = await session.openStore();
      // All are looked up before the first is touched.
      for (const name of names) await store.refs.get(name);
      for (const each of names) {
        const { name, version } = await store.refs.protect(each);
        session.output.say(`${name} stays at ${shortDigest(version)}`);
      }
    });
  },
};
