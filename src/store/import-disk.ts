import { basename } from 'node:path';
import { CalveError } from '../errors/index.ts';
import type { ImageIndex } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { findVersion } from './get-version.ts';
import { openImportSource } from './import-source.ts';
import type { ImportSource } from './import-state.ts';
import { isNbd } from './is-nbd.ts';
import { locked, settled } from './locking.ts';
import { checkMayMove, moveRef } from './move-ref.ts';
import { type NearestBase, nearestBase } from './nearest-base.ts';
import { AUTO, type ImportOptions } from './options.ts';
import { verifyChain } from './protection.ts';
import { publishVersion } from './publish.ts';
import { versionInfo } from './read-version.ts';
import { readIndex } from './ref-index.ts';
import { parseRefName, refNameOfFile } from './ref-name.ts';
import { stageStates } from './stage-states.ts';
import { openStaging } from './staging.ts';
import type { ImportResult } from './types.ts';
import { verifyThere } from './verify-there.ts';
import type { VersionDocument } from './version-document.ts';

/**
 * Makes a version of a disk image, and of each state below its own. All long work is done in staging; then, under the
 * store lock, what it was based on is looked at again, the blobs are published and the ref moves.
 */
export async function importDisk(
  context: StoreContext,
  file: string,
  options: ImportOptions,
): Promise<ImportResult> {
  const ref = await refToMake(file, options.ref);
  await settled(context);
  const auto = options.onto === AUTO;
  const named = options.onto == null || auto ? null : await findVersion(context, options.onto);
  const checkRef = (index: ImageIndex, onto: VersionDocument | null): void => {
    if (ref !== null) checkMayMove(index, ref, onto?.digest ?? null, `calve import ${file} NEW-REF`);
  };
  if (!auto) checkRef(await readIndex(context), named);

  await using staging = await openStaging(context);
  await using source = await openImportSource(file, staging, options);
  const search = auto ? await searchBase(context, source, { ...options, file, ref }) : null;
  if (search !== null) options.onNearest?.(search.told);
  const onto = search === null ? named : search.onto;
  const stated = await stageStates(context, staging, source.states, onto, options);
  const last = stated.at(-1);
  if (last === undefined) throw new TypeError('a source has at least one state');

  const publish = async (): Promise<ImageIndex> => {
    const before = await readIndex(context);
    checkRef(before, onto);
    await verifyChain(context, onto?.layers ?? []);
    for (const { version, staged } of stated) {
      if (staged === null) await verifyThere(context, version);
      else await publishVersion(context, staged);
    }
    if (ref !== null) {
      await moveRef(context, staging, before, { ref, to: last.version, command: 'import' });
    }
    return readIndex(context);
  };
  const index = await locked(context, publish, options.signal);
  return {
    version: versionInfo(last.version, index),
    ref,
    summary: last.summary,
    nearest: search?.told ?? null,
    earlier: stated.slice(0, -1).map(({ version, staged, summary }) => ({
      version: versionInfo(version, index),
      summary: staged === null ? null : summary,
    })),
    warnings: [...source.warnings, ...(search?.warnings ?? [])],
  };
}

/**
 * The version that the image is nearest to. Of several states none is looked for: the first is stored whole, so that what
 * another image stands on too is one version, found by its digest.
 */
async function searchBase(
  context: StoreContext,
  { states }: ImportSource,
  options: Parameters<typeof nearestBase>[2],
): Promise<NearestBase | null> {
  const [only] = states;
  if (only === undefined || states.length > 1) return null;
  await using disk = await only.open();
  return await nearestBase(context, disk, options);
}

async function refToMake(file: string, ref: string | null | undefined): Promise<string | null> {
  if (ref === null) return null;
  if (ref !== undefined) return parseRefName(ref);
  const name = await nameOf(file);
  const made = refNameOfFile(name);
  if (made !== undefined) return made;
  throw new CalveError('usage', `no ref can be made of the name ${JSON.stringify(name)}`, {
    hint: `calve import ${file} REF`,
  });
}

async function nameOf(file: string): Promise<string> {
  if (!(await isNbd(file))) return basename(file);
  const { parseNbdUri } = await import('../nbd/index.ts');
  return parseNbdUri(file).exportName;
}
