import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { EnvInfo, EnvStatus, Store } from '../../store/index.ts';
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
        const found: { name: string; lost: string | undefined; ask: boolean }[] = [];
        for (const name of new Set(names)) found.push({ name, ...(await look(store, name, force)) });
        const chosen: typeof found = [];
        for (const env of found) {
          signal.throwIfAborted();
          const { name, lost } = env;
          const question = `${name} holds ${lost}. ${force ? 'Delete it for good?' : 'Move it to the trash?'}`;
          if (env.ask && !(await ask(session, question, true))) output.say(`kept ${name}`);
          else chosen.push(env);
        }
        if (chosen.length === 0) return;
        const trash = await store.envs.removeMany(
          chosen.map(({ name }) => name),
          { force },
        );
        for (const [at, { name, lost }] of chosen.entries()) {
          const said = lost === undefined ? 'nothing was unsaved' : `with ${lost}`;
          const entry = trash[at];
          if (entry === undefined) output.say(`deleted ${name}: ${said}`);
          else output.say(`removed ${name}: ${said}; to have it back: calve trash restore ${entry.id}`);
        }
      });
  },
};

/**
 * What would be lost, and whether to ask. An environment that is broken, or whose base is, can go all the same: then
 * what it holds is told as far as it can be.
 */
async function look(
  store: Store,
  name: string,
  force: boolean,
): Promise<{ readonly lost: string | undefined; readonly ask: boolean }> {
  let env: EnvInfo;
  try {
    env = await store.envs.get(name);
  } catch (error) {
    if (!force || !CalveError.is(error, 'corrupt')) throw error;
    return { lost: `what cannot be told any more (${error.message})`, ask: true };
  }
  const lost = await lossOf(store, env);
  // One that is in use is refused by the store, which names the holder; nothing to ask then.
  return { lost, ask: lost !== undefined && env.state === 'idle' };
}

async function lossOf(store: Store, env: EnvInfo): Promise<string | undefined> {
  try {
    return notSaved(await store.envs.status(env.name));
  } catch (error) {
    if (!(error instanceof CalveError)) throw error;
    return notSaved({ ...env, changedClusters: null, clusterSize: null });
  }
}

/** What only the environment has, in words; undefined when it has nothing of its own. */
function notSaved(
  env: Pick<EnvStatus, 'changedBytes' | 'changedClusters' | 'clusterSize'>,
): string | undefined {
  if (env.changedClusters === 0) return undefined;
  if (env.changedClusters === null || env.clusterSize === null) {
    return `up to ${formatBytes(env.changedBytes)} that is not committed`;
  }
  return `${formatBytes(env.changedClusters * env.clusterSize)} that is not committed`;
}
