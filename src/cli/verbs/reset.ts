import { formatBytes } from '../../bytes/index.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** `calve reset ENV [REF]` */
export const reset: Verb = {
  examples: [
    { line: 'calve reset quiet-otter', does: 'as it was when it was made, or last committed' },
    { line: 'calve reset quiet-otter debian:12', does: 'and onto what debian:12 names now' },
  ],
  declare: (command, session) => {
    command
      .argument('<env>', 'the environment; nobody may have it open')
      .argument('[ref]', 'the version to stand on (default: the same)')
      .action(async (name: string, ref: string | undefined) => {
        const store = await session.openStore();
        const { env, trash } = await store.envs.reset(name, ref);
        const { output } = session;
        output.say(`${env.name} is back at ${env.ref ?? 'version'} (${shortDigest(env.version)})`);
        output.say(
          `its changes (${formatBytes(trash.changedBytes)}) are in the trash; ` +
            `to look at them: calve trash restore ${trash.id} NAME`,
        );
      });
  },
};
