import { CalveError } from '../../errors/index.ts';
import type { RefInfo, Store } from '../../store/index.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** `calve tag REF NEW` */
export const tag: Verb = {
  examples: [
    { line: 'calve tag debian:12 web:base', does: 'a second name for the version' },
    { line: 'calve tag debian:12@{1} debian:12', does: 'where the ref was one move ago' },
  ],
  declare: (command, session) => {
    command
      .argument('<ref>', 'the version')
      .argument('<new>', 'its name, made or moved; no tag means :latest')
      .action(async (expression: string, name: string) => {
        const { output } = session;
        const store = await session.openStore();
        const before = await find(store, name);
        const after = await store.refs.set(name, expression, { command: 'tag' });
        const now = shortDigest(after.version);
        if (before === undefined) output.say(`${after.name} names ${now}`);
        else if (before.version === after.version) output.say(`${after.name} names ${now} already`);
        else {
          const was = shortDigest(before.version);
          output.say(`${after.name} moved from ${was} to ${now}; to undo: calve tag ${was} ${after.name}`);
        }
      });
  },
};

async function find(store: Store, name: string): Promise<RefInfo | undefined> {
  try {
    return await store.refs.get(name);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}
