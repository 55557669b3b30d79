import { formatBytes } from '../../bytes/index.ts';
import type { EnvStatus } from '../../store/index.ts';
import { unsavedJson } from '../changes/change-json.ts';
import { describeUnsaved, lookForUnsaved } from '../changes/unsaved.ts';
import { count } from '../count.ts';
import { envJson } from '../env-json.ts';
import { shortDigest } from '../short-digest.ts';
import { formatState } from '../state.ts';
import type { Verb } from '../verb.ts';

/** `calve status ENV` */
export const status: Verb = {
  examples: [{ line: 'calve status quiet-otter', does: 'what a commit would keep and rm would lose' }],
  declare: (command, session) => {
    command
      .argument('<env>', 'the environment')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (name: string, options: { json?: boolean }) => {
        const { output, signal } = session;
        const store = await session.openStore();
        const found = await store.envs.status(name);
        const unsaved = await lookForUnsaved(store, found, signal);
        if (options.json === true)
          return output.printJson({ ...envJson(found), files: unsavedJson(unsaved) });
        for (const line of describe(found)) output.print(line);
        for (const line of describeUnsaved(name, unsaved)) output.print(line);
      });
  },
};

function* describe(env: EnvStatus): Generator<string> {
  const version = shortDigest(env.version);
  yield `${env.name} stands on ${env.ref === null ? version : `${env.ref} (${version})`}, ${formatState(env.state)}`;
  if (env.ref !== null && env.refMoved) {
    yield `${env.ref} names another version by now, or none: commit under a new name, calve commit ${env.name} -t REF`;
  }
  if (env.changedClusters === null || env.clusterSize === null) {
    yield `its overlay takes ${formatBytes(env.changedBytes)}; more is known when nobody has it open`;
  } else if (env.changedClusters === 0) yield 'nothing changed since';
  else {
    yield `not committed: ${formatBytes(env.changedClusters * env.clusterSize)} in ${count(env.changedClusters, 'cluster')}`;
  }
}
