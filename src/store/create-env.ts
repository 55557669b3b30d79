import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { renameDurably, statFile, syncFolder } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import type { EnvDocument } from './env-document.ts';
import { checkEnvName, makeEnvName } from './env-name.ts';
import { type Resolved, resolveExpression } from './expressions.ts';
import { inParallel } from './in-parallel.ts';
import { doMove, moveFolder } from './journal.ts';
import { envInfos } from './list-envs.ts';
import { locked, settled } from './locking.ts';
import { now } from './move-ref.ts';
import type { CreateOptions } from './options.ts';
import { verifyChain } from './protection.ts';
import { readVersion } from './read-version.ts';
import { readyChain } from './ready-chain.ts';
import { readIndex, versionOfRef } from './ref-index.ts';
import { isRefName, parseRefName } from './ref-name.ts';
import { looksRemote } from './remotes/looks-remote.ts';
import { overlayImage, stageEnv } from './stage-env.ts';
import { makeStagedFolder, openStaging, type Staging } from './staging.ts';
import type { EnvInfo } from './types.ts';

/**
 * Makes environments on a version. Each is a folder, made whole and durable in staging; under the store lock, the
 * base looked at again, it is renamed into place. Several are one recorded move: all come, or none.
 */
export async function createEnvs(
  context: StoreContext,
  expression: string,
  options: CreateOptions,
): Promise<EnvInfo[]> {
  const { name, count = 1 } = options;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new CalveError('usage', `expected a count of 1 or more, got ${count}`);
  }
  const wanted = name === undefined ? undefined : namesFor(name, count);
  await settled(context);
  const resolved = await resolveOrPull(context, expression, options);
  const version = await readVersion(context, resolved.version);
  await readyChain(context, version.layers);
  const isTaken = (each: string): boolean => statFile(context.layout.env(each)) !== undefined;
  refuse(wanted?.find(isTaken));

  await using staging = await openStaging(context);
  const { machine } = version.config;
  const env: EnvDocument = { version: version.digest, ref: resolved.ref, created: now(), machine };
  const { folder } = moveFolder(staging);
  await makeStagedFolder(folder);
  const image = overlayImage(version);
  await inParallel(Array(count).keys(), AT_A_TIME, async (at) => {
    const staged = join(folder, String(at));
    await makeStagedFolder(staged);
    await stageEnv(staged, env, version, image);
  });
  await syncFolder(folder);

  const names = await locked(context, async () => {
    // The version too: its layers may be there for another's sake when gc has taken it away.
    await readVersion(context, version.digest);
    await verifyChain(context, version.layers);
    const chosen = wanted ?? madeUpNames(count, isTaken);
    refuse(chosen.find(isTaken));
    await putInPlace(context, staging, chosen);
    return chosen;
  });
  return envInfos(context, names, env);
}

/**
 * What an expression names; what only a remote has is pulled first. The env follows the ref here that a pull made, where that
 * is the version that was pulled.
 */
async function resolveOrPull(
  context: StoreContext,
  expression: string,
  options: CreateOptions,
): Promise<Resolved> {
  if (!looksRemote(expression) || (await isRefHere(context, expression))) {
    return resolveExpression(context, expression);
  }
  const { pull } = await import('./remotes/pull.ts');
  const { ref, version } = await pull(context, expression, options);
  return { version: version.digest, ref: ref !== null && version.refs.includes(ref) ? ref : null };
}

async function isRefHere(context: StoreContext, text: string): Promise<boolean> {
  return isRefName(text) && versionOfRef(await readIndex(context), parseRefName(text)) !== undefined;
}

/** How many envs are written at a time: the kernel joins their syncs. */
const AT_A_TIME = 16;

async function putInPlace(context: StoreContext, staging: Staging, names: readonly string[]): Promise<void> {
  const { folder, recorded } = moveFolder(staging);
  const [only] = names;
  if (names.length === 1 && only !== undefined) {
    context.step(`rename to envs/${only}`);
    return renameDurably(join(folder, '0'), context.layout.env(only));
  }
  const steps = names.map((name, at) => ({ rename: [`${recorded}/${at}`, `envs/${name}`] as const }));
  return doMove(context, staging, { command: 'new', time: now(), steps });
}

function namesFor(name: string, count: number): string[] {
  if (count === 1) return [checkEnvName(name)];
  return Array.from({ length: count }, (_, at) => checkEnvName(`${name}-${at + 1}`));
}

/** Asks of each name alone whether it is taken: a store may have thousands of envs. */
function madeUpNames(count: number, isTaken: (name: string) => boolean): string[] {
  const chosen = new Set<string>();
  while (chosen.size < count) chosen.add(makeEnvName((name) => chosen.has(name) || isTaken(name)));
  return [...chosen];
}

function refuse(name: string | undefined): void {
  if (name === undefined) return;
  throw new CalveError('exists', `an environment ${name} exists already`, {
    hint: 'calve ls',
    data: { env: name },
  });
}
