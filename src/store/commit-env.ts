import { CalveError } from '../errors/index.ts';
import type { ImageIndex } from '../oci/index.ts';
import { author } from './author.ts';
import type { StoreContext } from './context.ts';
import { created } from './created.ts';
import { emptyIfReplaced } from './empty-if-replaced.ts';
import type { EnvDocument } from './env-document.ts';
import { lockEnv } from './env-lock.ts';
import { doMove, moveFolder, type Step } from './journal.ts';
import { ENV_DOCUMENT, OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { checkMayMove, now, stageRefMove } from './move-ref.ts';
import type { CommitOptions } from './options.ts';
import { verifyChain } from './protection.ts';
import { publishVersion, stageVersion } from './publish.ts';
import { readVersion, versionInfo } from './read-version.ts';
import { readIndex, versionOfRef } from './ref-index.ts';
import { parseRefName } from './ref-name.ts';
import { stageCommit } from './stage-commit.ts';
import { stageEnv } from './stage-env.ts';
import { makeStagedFolder, openStaging } from './staging.ts';
import type { CommitResult } from './types.ts';
import { encodeVersion } from './version-document.ts';

/**
 * Makes a version of what an env changed, and stands the env on it.
 *
 * The overlay stays locked from the first look at it to the end. All long work is done in staging. Under the store
 * lock come the blobs, then one recorded move: the overlay (from then on the commit has happened), env.json, the ref,
 * the log.
 */
export async function commitEnv(
  context: StoreContext,
  name: string,
  options: CommitOptions,
): Promise<CommitResult> {
  const given = options.ref === undefined ? undefined : parseRefName(options.ref);
  await using held = await lockEnv(context, name, 'write');
  const { env } = held;
  const ref = given ?? env.ref;
  const parent = await readVersion(context, env.version);
  const checkRef = (index: ImageIndex): void => checkRefFollows(index, name, env, given);
  checkRef(await readIndex(context));

  await using staging = await openStaging(context);
  const { layer, chain, size, changed, mergedLayers } = await stageCommit(
    context,
    staging,
    name,
    parent,
    options,
  );
  const time = now();
  const version = encodeVersion(
    {
      message: options.message ?? '',
      author: author(),
      created: created(),
      parents: [parent.digest],
      size,
      machine: env.machine,
      made: { command: options.squash === true ? 'squash' : 'commit', from: name },
    },
    chain,
  );
  const staged = await stageVersion(staging, [layer.blob], version);
  const { folder, recorded } = moveFolder(staging);
  await makeStagedFolder(folder);
  await stageEnv(folder, { ...env, version: version.document.digest, ref }, version.document);

  const publish = async (): Promise<ImageIndex> => {
    const before = await readIndex(context);
    checkRef(before);
    await verifyChain(context, parent.layers);
    const refSteps: Step[] =
      ref === null
        ? []
        : await stageRefMove(staging, before, { ref, to: version.document, command: 'commit' }, time);
    await publishVersion(context, staged);
    const steps: Step[] = [
      { rename: [`${recorded}/${OVERLAY}`, `envs/${name}/${OVERLAY}`] },
      { rename: [`${recorded}/${ENV_DOCUMENT}`, `envs/${name}/${ENV_DOCUMENT}`] },
      ...refSteps,
    ];
    await doMove(context, staging, { command: 'commit', time, steps });
    return readIndex(context);
  };
  try {
    const index = await locked(context, publish, options.signal);
    const { summary } = layer;
    return { version: versionInfo(version.document, index), ref, summary, changed, mergedLayers };
  } finally {
    await emptyIfReplaced(context, name, held.file);
  }
}

/** The ref that the env tracks must still be where the env is; a ref that was given may be new besides. */
function checkRefFollows(index: ImageIndex, name: string, env: EnvDocument, given: string | undefined): void {
  const hint = `calve commit ${name} -t NEW-REF`;
  const ref = given ?? env.ref;
  if (ref === null) return;
  if (given === undefined && versionOfRef(index, ref) === undefined) {
    throw new CalveError('diverged', `the ref ${ref}, which environment ${name} tracks, was removed`, {
      hint,
      data: { ref, current: null, expected: env.version },
    });
  }
  checkMayMove(index, ref, env.version, hint);
}
