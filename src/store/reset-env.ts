import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from '../errors/index.ts';
import { syncFolder } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { type EnvDocument, encodeEnvDocument } from './env-document.ts';
import { lockEnv } from './env-lock.ts';
import { resolveExpression } from './expressions.ts';
import { doMove, moveFolder } from './journal.ts';
import { ENV_DOCUMENT, OVERLAY } from './layout.ts';
import { letGoOf } from './let-go.ts';
import { envInfo } from './list-envs.ts';
import { locked } from './locking.ts';
import { now } from './move-ref.ts';
import { verifyChain } from './protection.ts';
import { readVersion } from './read-version.ts';
import { readyChain } from './ready-chain.ts';
import { stageEnv } from './stage-env.ts';
import { makeStagedFolder, openStaging, writeStaged } from './staging.ts';
import { readConfig } from './store-config.ts';
import { newTrashId, trashEntry } from './trash-entries.ts';
import type { ResetResult } from './types.ts';

/**
 * Drops what an env changed. The old overlay is linked into a trash folder that is made ready in staging; then one
 * recorded move puts the fresh overlay in place (from then on the reset has happened), env.json, and the trash.
 *
 * A QEMU that opened the old overlay just before and locks it just after finds it in the trash, where what it writes
 * is kept.
 */
export async function resetEnv(
  context: StoreContext,
  name: string,
  expression?: string,
): Promise<ResetResult> {
  await using held = await lockEnv(context, name, 'write');
  const onto = expression === undefined ? held.env : await resolveExpression(context, expression);
  const version = await readVersion(context, onto.version);
  await readyChain(context, version.layers);
  // What would fail after the move fails before it.
  const config = await readConfig(context);
  const machine = expression === undefined ? held.env.machine : version.config.machine;
  const env: EnvDocument = { ...held.env, version: version.digest, ref: onto.ref, machine };

  await using staging = await openStaging(context);
  const { folder, recorded } = moveFolder(staging);
  await makeStagedFolder(folder);
  await stageEnv(folder, env, version);
  await stageTrash(context, join(folder, 'trash'), name, held.env);
  const id = await locked(context, async () => {
    // The version too: its layers may be there for another's sake when gc has taken it away.
    await readVersion(context, version.digest);
    await verifyChain(context, version.layers);
    letGoOf(context, held.env.version);
    const trash = newTrashId(context, name);
    await doMove(context, staging, {
      command: 'reset',
      time: now(),
      steps: [
        { rename: [`${recorded}/${OVERLAY}`, `envs/${name}/${OVERLAY}`] },
        { rename: [`${recorded}/${ENV_DOCUMENT}`, `envs/${name}/${ENV_DOCUMENT}`] },
        { rename: [`${recorded}/trash`, `trash/${trash}`] },
      ],
    });
    return trash;
  });
  return { env: await envInfo(context, name, env), trash: await trashEntry(context, id, config.trash.days) };
}

async function stageTrash(
  context: StoreContext,
  folder: string,
  name: string,
  env: EnvDocument,
): Promise<void> {
  const overlay = context.layout.overlay(name);
  await makeStagedFolder(folder);
  try {
    await link(overlay, join(folder, OVERLAY));
  } catch (error) {
    throw systemError(`cannot link ${overlay} to ${folder}`, error);
  }
  await writeStaged(join(folder, ENV_DOCUMENT), encodeEnvDocument(env));
  await syncFolder(folder);
}
