import { CalveError } from '../errors/index.ts';
import { type FileStat, lockHoldersOfAll, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { type EnvDocument, readEnvDocument } from './env-document.ts';
import { settled } from './locking.ts';
import { lookAtEnv } from './look-at-env.ts';
import { overlayMissing } from './overlay-missing.ts';
import { listFolder } from './staging.ts';
import type { EnvInfo } from './types.ts';

/** Every environment, by name: a document and a stat each, and no lock. */
export async function listEnvs(context: StoreContext): Promise<EnvInfo[]> {
  await settled(context);
  const found: FoundEnv[] = [];
  for (const name of await listFolder(context.layout.envs)) {
    try {
      found.push(await lookAtEnv(context, name, () => foundEnv(context, name)));
    } catch (error) {
      // One that was removed while we look is no longer listed.
      if (!CalveError.is(error, 'not-found')) throw error;
    }
  }
  return infosOf(found);
}

export async function getEnv(context: StoreContext, name: string): Promise<EnvInfo> {
  return envInfo(context, name, await findEnv(context, name));
}

/** @throws CalveError `usage`, `not-found`, `corrupt` */
export async function findEnv(context: StoreContext, name: string): Promise<EnvDocument> {
  await settled(context);
  return lookAtEnv(context, name, () => readEnvDocument(context.layout.envDocument(name)));
}

/** The file that QEMU opens for this env. */
export async function envPath(context: StoreContext, name: string): Promise<string> {
  await findEnv(context, name);
  return context.layout.overlay(name);
}

/** An env as it is listed. Takes no lock: a virtual machine that starts meanwhile must get its own. */
export async function envInfo(context: StoreContext, name: string, env: EnvDocument): Promise<EnvInfo> {
  const [info] = envInfos(context, [name], env);
  if (info === undefined) throw new TypeError('one env has one info');
  return info;
}

/** As `envInfo`, of several envs that have one document. */
export function envInfos(context: StoreContext, names: readonly string[], env: EnvDocument): EnvInfo[] {
  return infosOf(names.map((name) => ({ name, env, overlay: statOverlay(context, name) })));
}

interface FoundEnv {
  readonly name: string;
  readonly env: EnvDocument;
  readonly overlay: FileStat;
}

async function foundEnv(context: StoreContext, name: string): Promise<FoundEnv> {
  const env = await readEnvDocument(context.layout.envDocument(name));
  return { name, env, overlay: statOverlay(context, name) };
}

/** Asks once who has any of the overlays open. */
function infosOf(found: readonly FoundEnv[]): EnvInfo[] {
  const holders = lockHoldersOfAll(found.map(({ overlay }) => overlay));
  return found.map(({ name, env, overlay }, at) => {
    const inUse = holders[at] ?? [];
    return {
      name,
      version: env.version,
      ref: env.ref,
      created: env.created,
      changedBytes: overlay.allocated,
      state: inUse.length === 0 ? 'idle' : { inUse },
    };
  });
}

function statOverlay(context: StoreContext, name: string): FileStat {
  const path = context.layout.overlay(name);
  const stat = statFile(path);
  if (stat !== undefined) return stat;
  throw overlayMissing(name, path);
}
