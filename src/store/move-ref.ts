import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type Digest, type ImageIndex, shortDigest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { doMove, moveFolder, type Step } from './journal.ts';
import { encodeIndex, findRef, versionOfRef, withRef } from './ref-index.ts';
import { makeStagedFolder, newId, type Staging, writeStaged } from './staging.ts';

/** A ref's move that is to be made. */
export interface RefChange {
  /** Full name. */
  readonly ref: string;
  /** null removes the ref. */
  readonly to: { readonly digest: Digest; readonly manifestSize: number } | null;
  readonly command: string;
}

/** Moves a ref, and logs it. The store lock is held, and every blob of the version is there. */
export async function moveRef(
  context: StoreContext,
  staging: Staging,
  index: ImageIndex,
  change: RefChange,
): Promise<void> {
  await makeStagedFolder(moveFolder(staging).folder);
  const time = now();
  const steps = await stageRefMove(staging, index, change, time);
  await doMove(context, staging, { command: change.command, time, steps });
}

/**
 * Stages the index in which the ref has moved, in the folder of a move; returns the steps that make it so. Whatever
 * moves a ref comes by here, under the store lock.
 * @throws CalveError `denied` when the ref is protected
 */
export async function stageRefMove(
  staging: Staging,
  index: ImageIndex,
  { ref, to, command }: RefChange,
  time: string,
): Promise<Step[]> {
  checkUnprotected(index, ref);
  const { folder, recorded } = moveFolder(staging);
  await writeStaged(join(folder, 'index.json'), encodeIndex(withRef(index, ref, to)));
  const from = versionOfRef(index, ref) ?? null;
  return [
    { rename: [`${recorded}/index.json`, 'index.json'] },
    { log: { id: newId(), time, ref, from, to: to?.digest ?? null, command } },
  ];
}

/** @throws CalveError `denied` when the ref is protected, and so stays where it is */
export function checkUnprotected(index: ImageIndex, ref: string): void {
  const found = findRef(index, ref);
  if (found?.protected !== true) return;
  throw new CalveError('denied', `${ref} is protected: it stays at version ${shortDigest(found.version)}`, {
    hint: `calve unprotect ${ref}`,
    data: { ref, current: found.version },
  });
}

/**
 * Whether a new child of `parent` may become a ref's version: the ref is new, or still points at the parent.
 * @throws CalveError `denied` for a protected ref; `exists` when there is no parent; `diverged` naming both versions
 */
export function checkMayMove(index: ImageIndex, ref: string, parent: Digest | null, hint: string): void {
  checkUnprotected(index, ref);
  const current = versionOfRef(index, ref);
  if (current === undefined || current === parent) return;
  const at = `${ref} is version ${shortDigest(current)}`;
  if (parent === null) throw new CalveError('exists', `${at} already`, { hint, data: { ref, current } });
  throw new CalveError('diverged', `${at}, no longer ${shortDigest(parent)}`, {
    hint,
    data: { ref, current, expected: parent },
  });
}

/** RFC 3339, UTC. */
export function now(): string {
  return new Date().toISOString();
}
