import { formatBytes } from '../../bytes/index.ts';
import type { EnvStatus } from '../../store/index.ts';
import { ask } from '../ask.ts';
import type { Verb } from '../verb.ts';

/** `calve rm ENV…` */
export const rm: Verb = {
  examples: [
    { line: 'calve rm quiet-otter', does: 'to the trash; it can come back' },
    { line: 'calve rm -f quiet-otter brave-wren', does: 'for good, without the trash' },
  ],
  declare: (command, session) => {
    command
      .argument('<env...>', 'the environments; nobody may have them open')
      .option('-f, --force', 'delete for good instead of moving to the trash')
      .action(async (names: string[], options: { force?: boolean }) => {
        const { output, signal } = session;
        const store = await session.openStore();
        const force = options.force === true;
        // All are looked up before the first is touched: a mistyped name removes nothing.
        const envs: EnvStatus[] = [];
        for (const name of new Set(names)) envs.push(await store.envs.status(name));
        for (const env of envs) {
          signal.throwIfAborted();
          const lost = notSaved(env);
          const question = `${env.name} holds ${lost}. ${force ? 'Delete it for good?' : 'Move it to the trash?'}`;
          // One that is in use is refused by the store, which names the holder; nothing to ask then.
          if (lost !== undefined && env.state === 'idle' && !(await ask(session, question, true))) {
            output.say(`kept ${env.name}`);
            continue;
          }
          const trash = await store.envs.remove(env.name, { force });
          const said = lost === undefined ? 'nothing was unsaved' : `with ${lost}`;
          if (trash === null) output.say(`deleted ${env.name}: ${said}`);
          else output.say(`removed ${env.name}: ${said}; to have it back: calve trash restore ${trash.id}`);
        }
      });
  },
};

/** What only the environment has, in words; undefined when it has nothing of its own. */
function notSaved(env: EnvStatus): string | undefined {
  if (env.changedClusters === 0) return undefined;
  if (env.changedClusters === null || env.clusterSize === null) {
    return `up to ${formatBytes(env.changedBytes)} that is not committed`;
  }
  return `${formatBytes(env.changedClusters * env.clusterSize)} that is not committed`;
}
