import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { EnvInfo, EnvStatus, Store } from '../../store/index.ts';
import { ask, canAsk } from '../ask.ts';
import { describeUnsaved, lookForUnsaved, type Unsaved } from '../changes/unsaved.ts';
import { chooseFate, type Fate } from '../remove/choose-fate.ts';
import { copyKept, type KeptPath, parseKeptPath } from '../remove/kept-path.ts';
import type { Session } from '../session.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** Milliseconds for listing files, of all environments together: nobody waits for long to throw away. */
const LISTING = 3000;

/** `calve rm ENV…` */
export const rm: Verb = {
  examples: [
    { line: 'calve rm quiet-otter', does: 'to the trash; it can come back' },
    { line: 'calve rm -f quiet-otter brave-wren', does: 'for good, without the trash' },
    { line: 'calve rm quiet-otter --keep /var/log:./logs', does: 'what is named is copied out first' },
  ],
  declare: (command, session) => {
    command
      .argument('<env...>', 'the environments; nobody may have them open')
      .option('-f, --force', 'delete for good instead of moving to the trash')
      .option(
        '--keep <path:dest>',
        'copy a file or folder to the host first; may be repeated',
        collectKept,
        [],
      )
      .option('-p, --partition <partition>', 'where --keep finds its paths, as for files')
      .action(async (names: string[], options: Options) => {
        const { output, signal } = session;
        if (options.keep.length > 0 && new Set(names).size > 1) {
          throw new CalveError('usage', '--keep goes with one environment', {
            hint: 'calve rm ENV --keep PATH:DEST',
          });
        }
        const store = await session.openStore();
        const force = options.force === true;
        // All are looked up before the first is touched: a mistyped name removes nothing.
        const found: Target[] = [];
        for (const name of new Set(names)) found.push({ name, ...(await look(store, name, force)) });
        const until = AbortSignal.timeout(LISTING);
        for (const env of found) await listUnsaved(session, store, env, until);
        const chosen: (Target & { readonly fate: Fate })[] = [];
        for (const env of found) {
          signal.throwIfAborted();
          const fate = await fateOf(session, env, force);
          if (fate.kind === 'keep') output.say(`kept ${env.name}`);
          else chosen.push({ ...env, fate });
        }
        if (chosen.length === 0) return;
        for (const { name, fate } of chosen) {
          await copyKept(session, name, options.keep, options.partition);
          if (fate.kind === 'copy') await copyKept(session, name, fate.paths, options.partition);
          if (fate.kind === 'commit') await commitFirst(session, store, name, fate);
        }
        const trash = await store.envs.removeMany(
          chosen.map(({ name }) => name),
          { force },
        );
        for (const [at, { name, lost, fate }] of chosen.entries()) {
          const isSaved = lost === undefined || fate.kind === 'commit';
          const said = isSaved ? 'nothing was unsaved' : `with ${lost}`;
          const entry = trash[at];
          if (entry === undefined) output.say(`deleted ${name}: ${said}`);
          else output.say(`removed ${name}: ${said}; to have it back: calve trash restore ${entry.id}`);
        }
      });
  },
};

interface Options {
  readonly force?: boolean;
  readonly keep: readonly KeptPath[];
  readonly partition?: string;
}

function collectKept(word: string, before: readonly KeptPath[]): KeptPath[] {
  return [...before, parseKeptPath(word)];
}

/** What is to become of an environment: where nobody is asked, the safe choice of what was said. */
async function fateOf(
  session: Session,
  { name, lost, ask: asks, status }: Target,
  force: boolean,
): Promise<Fate> {
  if (!asks || lost === undefined) return { kind: 'trash' };
  if (force) {
    const isSure = await ask(session, `${name} holds ${lost}. Delete it for good?`, true);
    return { kind: isSure ? 'trash' : 'keep' };
  }
  if (session.globals.yes === true || !canAsk()) return { kind: 'trash' };
  return chooseFate(session, name, lost, status);
}

async function commitFirst(
  { output, signal }: Session,
  store: Store,
  name: string,
  { message, ref }: Extract<Fate, { kind: 'commit' }>,
): Promise<void> {
  const result = await output.during(name, (onProgress) =>
    store.envs.commit(name, { message, ref, signal, onProgress }),
  );
  const at = [result.ref, shortDigest(result.version.digest)].filter((word) => word !== null).join(' ');
  output.say(`committed ${name}: ${at}`);
}

interface Found {
  readonly lost: string | undefined;
  readonly ask: boolean;
  readonly status: EnvStatus | undefined;
}

interface Target extends Found {
  readonly name: string;
}

/** Says which files are saved in no version. What keeps them from being told keeps nobody from removing. */
async function listUnsaved(
  { output, signal }: Session,
  store: Store,
  { name, status }: Target,
  until: AbortSignal,
): Promise<void> {
  if (status === undefined || output.quiet) return;
  const unsaved: Unsaved | null = await lookForUnsaved(store, status, signal, until);
  for (const line of describeUnsaved(name, unsaved))
    output.say(line.startsWith(' ') ? line : `${name}: ${line}`);
}

/**
 * What would be lost, and whether to ask. An environment that is broken, or whose base is, can go all the same: then
 * what it holds is told as far as it can be.
 */
async function look(store: Store, name: string, force: boolean): Promise<Found> {
  let env: EnvInfo;
  try {
    env = await store.envs.get(name);
  } catch (error) {
    if (!force || !CalveError.is(error, 'corrupt')) throw error;
    return { lost: `what cannot be told any more (${error.message})`, ask: true, status: undefined };
  }
  const status = await statusOf(store, name);
  const lost = notSaved(status ?? { ...env, changedClusters: null, clusterSize: null });
  // One that is in use is refused by the store, which names the holder; nothing to ask then.
  return { lost, ask: lost !== undefined && env.state === 'idle', status };
}

async function statusOf(store: Store, name: string): Promise<EnvStatus | undefined> {
  try {
    return await store.envs.status(name);
  } catch (error) {
    if (!(error instanceof CalveError)) throw error;
    return undefined;
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
