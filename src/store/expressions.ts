import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import { type Digest, isDigest, shortDigest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readEnvDocument } from './env-document.ts';
import { isEnvName } from './env-name.ts';
import { settled } from './locking.ts';
import { manifestsOf } from './manifests.ts';
import type { Target } from './options.ts';
import { readVersion } from './read-version.ts';
import { readIndex, versionOfRef } from './ref-index.ts';
import { refMoves } from './ref-log.ts';
import { isRefName, parseRefName } from './ref-name.ts';

/** What an expression names. */
export interface Resolved {
  readonly version: Digest;
  /** The ref's full name, when the expression is a ref and nothing else. */
  readonly ref: string | null;
}

/** `X~`, `X~2`, `X~1~1`. */
const ANCESTRY = /^(.*?)((?:~\d*)+)$/;
const REF_LOG = /^(.+)@\{(\d+)\}$/;
const ENV_BASE = /^(.+)@base$/;
const PREFIX = /^(?:sha256:)?([0-9a-f]{6,64})$/;

/**
 * The version that an expression names.
 * @throws CalveError `usage` for what cannot be one and for an ambiguous prefix (`data.candidates`); `not-found`
 */
export async function resolveExpression(context: StoreContext, text: string): Promise<Resolved> {
  const [, base, steps] = ANCESTRY.exec(text) ?? [undefined, text, ''];
  const resolved = await resolveBase(context, base ?? text);
  if (!steps) return resolved;
  let { version } = resolved;
  for (const step of steps.slice(1).split('~')) {
    for (let back = step === '' ? 1 : Number(step); back > 0; back--) {
      const [parent] = (await readVersion(context, version)).config.parents;
      if (parent === undefined)
        throw new CalveError('not-found', `${text}: version ${shortDigest(version)} has no parent`);
      version = parent;
    }
  }
  return { version, ref: null };
}

/** What a target's name stands for: the environment of this name first, else the version. */
export async function resolveTarget(context: StoreContext, text: string): Promise<Target> {
  await settled(context);
  if (isEnvName(text) && statFile(context.layout.envDocument(text)) !== undefined) {
    const { version } = await readEnvDocument(context.layout.envDocument(text));
    return { kind: 'env', name: text, version };
  }
  const { version } = await resolveExpression(context, text);
  await readVersion(context, version);
  return { kind: 'version', version };
}

async function resolveBase(context: StoreContext, text: string): Promise<Resolved> {
  if (isDigest(text)) return { version: text, ref: null };
  const [, logged, moves] = REF_LOG.exec(text) ?? [];
  if (logged !== undefined) {
    return { version: versionInLog(context, parseRefName(logged), Number(moves)), ref: null };
  }
  const [, env] = ENV_BASE.exec(text) ?? [];
  if (env !== undefined) return { version: await versionOfEnv(context, env), ref: null };
  if (isRefName(text)) {
    const ref = parseRefName(text);
    const version = versionOfRef(await readIndex(context), ref);
    if (version !== undefined) return { version, ref };
  }
  const [, prefix] = PREFIX.exec(text) ?? [];
  if (prefix !== undefined) return { version: await versionOfPrefix(context, text, prefix), ref: null };
  // A malformed name says what is malformed.
  throw new CalveError('not-found', `no version is called ${parseRefName(text)}`, { hint: 'calve images' });
}

/** Where the ref pointed `moves` moves ago; 0 is where the last move left it. */
function versionInLog(context: StoreContext, ref: string, moves: number): Digest {
  let count = 0;
  for (const move of refMoves(context)) {
    if (move.ref !== ref) continue;
    if (count === moves && move.to !== null) return move.to;
    if (count === moves) throw new CalveError('not-found', `${ref}@{${moves}}: the ref was removed then`);
    count += 1;
  }
  throw new CalveError('not-found', `${ref}@{${moves}}: the ref has moved ${count} times in all`);
}

async function versionOfEnv(context: StoreContext, name: string): Promise<Digest> {
  if (!isEnvName(name) || statFile(context.layout.envDocument(name)) === undefined) {
    throw new CalveError('not-found', `no environment is called ${name}`, { hint: 'calve ls' });
  }
  return (await readEnvDocument(context.layout.envDocument(name))).version;
}

async function versionOfPrefix(context: StoreContext, text: string, prefix: string): Promise<Digest> {
  const candidates: Digest[] = [];
  for await (const manifest of manifestsOf(context, prefix)) candidates.push(manifest.digest);
  const [version] = candidates;
  if (version === undefined)
    throw new CalveError('not-found', `no version is called ${text}`, { hint: 'calve images' });
  if (candidates.length === 1) return version;
  throw new CalveError('usage', `${text} is ambiguous: ${candidates.map(shortDigest).join(', ')}`, {
    data: { candidates },
  });
}
