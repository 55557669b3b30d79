import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { type EnvDocument, readEnvDocument } from './env-document.ts';
import { gcLogEnd, gcRunsBetween } from './gc-log.ts';
import { settled } from './locking.ts';
import { readIndex, refsOf } from './ref-index.ts';
import { refLogEnd, refMovesBetween } from './ref-log.ts';
import { listFolder } from './staging.ts';
import { parseTrashId } from './trash-entries.ts';
import type { StoreEvent } from './types.ts';

/** What a store looked like at one moment, as far as events tell of it. */
export interface StoreState {
  readonly refLogEnd: number;
  readonly gcLogEnd: number;
  readonly protectedRefs: ReadonlySet<string>;
  readonly envs: ReadonlyMap<string, SeenEnv>;
  /** Ids. */
  readonly trash: ReadonlySet<string>;
}

interface SeenEnv {
  /** Which file `env.json` was: one that is there still was not read again. */
  readonly file: string;
  readonly document: EnvDocument;
}

/** Looks at the store; of envs that are as they were in `before`, no document is read again. */
export async function readState(context: StoreContext, before?: StoreState): Promise<StoreState> {
  await settled(context);
  const refs = refsOf(await readIndex(context));
  const trash = await listFolder(context.layout.trash);
  return {
    refLogEnd: refLogEnd(context),
    gcLogEnd: gcLogEnd(context),
    protectedRefs: new Set(refs.filter((ref) => ref.protected === true).map((ref) => ref.name)),
    envs: await readEnvs(context, before?.envs ?? new Map()),
    trash: new Set(trash.filter((id) => parseTrashId(id) !== undefined)),
  };
}

async function readEnvs(
  context: StoreContext,
  before: ReadonlyMap<string, SeenEnv>,
): Promise<Map<string, SeenEnv>> {
  const envs = new Map<string, SeenEnv>();
  for (const name of await listFolder(context.layout.envs)) {
    const path = context.layout.envDocument(name);
    const stat = statFile(path);
    if (stat === undefined) continue;
    const file = `${stat.inode} ${stat.ctimeNs}`;
    const known = before.get(name);
    try {
      const document = known?.file === file ? known.document : await readEnvDocument(path);
      envs.set(name, { file, document });
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      // Removed meanwhile, or broken, which is for fsck to tell: then it is as it was known.
      if (known !== undefined && statFile(path) !== undefined) envs.set(name, known);
    }
  }
  return envs;
}

/**
 * What happened between two looks. The logs tell everything; of envs, the trash and protection only what is
 * different in the end.
 * @throws CalveError `changed` when a log is shorter than it was: then something may have been missed
 */
export function* changesBetween(
  context: StoreContext,
  before: StoreState,
  after: StoreState,
): Generator<StoreEvent> {
  if (after.refLogEnd < before.refLogEnd || after.gcLogEnd < before.gcLogEnd) {
    throw new CalveError('changed', `${context.layout.folder}: a log is shorter than it was`, {
      hint: 'calve fsck',
    });
  }
  for (const move of refMovesBetween(context, before.refLogEnd, after.refLogEnd)) yield { kind: 'ref', move };
  for (const ref of after.protectedRefs) {
    if (!before.protectedRefs.has(ref)) yield { kind: 'ref-protected', ref };
  }
  for (const ref of before.protectedRefs) {
    if (!after.protectedRefs.has(ref)) yield { kind: 'ref-unprotected', ref };
  }
  for (const [name, { document }] of after.envs) {
    const { version, ref, created } = document;
    const known = before.envs.get(name)?.document;
    if (known === undefined) yield { kind: 'env-created', name, version, ref };
    else if (known.created !== created || known.version !== version || known.ref !== ref) {
      yield { kind: 'env-changed', name, version, ref };
    }
  }
  for (const [name, { document }] of before.envs) {
    const { version, ref } = document;
    if (!after.envs.has(name)) yield { kind: 'env-removed', name, version, ref };
  }
  for (const id of after.trash) if (!before.trash.has(id)) yield { kind: 'trash-added', id };
  for (const id of before.trash) if (!after.trash.has(id)) yield { kind: 'trash-removed', id };
  for (const run of gcRunsBetween(context, before.gcLogEnd, after.gcLogEnd)) yield { kind: 'gc', run };
}
