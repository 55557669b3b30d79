import { basename } from 'node:path';
import { type Disk, extentsOf } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { ImageIndex } from '../oci/index.ts';
import { author } from './author.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { findVersion } from './get-version.ts';
import { openImportSource } from './import-source.ts';
import { type StagedLayer, stageLayer } from './layers.ts';
import { locked, settled } from './locking.ts';
import { checkMayMove, moveRef, now } from './move-ref.ts';
import type { ImportOptions } from './options.ts';
import { verifyChain } from './protection.ts';
import { publishVersion, stageVersion } from './publish.ts';
import { versionInfo } from './read-version.ts';
import { readIndex } from './ref-index.ts';
import { parseRefName, refNameOfFile } from './ref-name.ts';
import { openStaging, type Staging } from './staging.ts';
import type { ImportResult } from './types.ts';
import { encodeVersion, type VersionDocument } from './version-document.ts';

/**
 * Makes a version of a disk image. All long work is done in staging; then, under the store lock, what it was based
 * on is looked at again, the blobs are published and the ref moves.
 */
export async function importDisk(
  context: StoreContext,
  file: string,
  options: ImportOptions,
): Promise<ImportResult> {
  const ref = refToMake(file, options.ref);
  await settled(context);
  const onto = options.onto == null ? null : await findVersion(context, options.onto);
  const checkRef = (index: ImageIndex): void => {
    if (ref !== null) checkMayMove(index, ref, onto?.digest ?? null, `calve import ${file} NEW-REF`);
  };
  checkRef(await readIndex(context));

  const source = await openImportSource(file, options.format);
  await using disk = source.disk;
  await using staging = await openStaging(context);
  const layer = await stageDifference(context, staging, { disk, size: source.size }, onto, options);
  const version = encodeVersion(
    {
      message: options.message ?? '',
      author: author(),
      created: now(),
      parents: onto === null ? [] : [onto.digest],
      size: source.size,
      machine: onto?.config.machine ?? {},
      made: { command: 'import', from: basename(file) },
    },
    [...(onto?.layers ?? []), layer.info],
  );
  const staged = await stageVersion(staging, [layer.blob], version);

  const publish = async (): Promise<ImageIndex> => {
    const before = await readIndex(context);
    checkRef(before);
    await verifyChain(context, onto?.layers ?? []);
    await publishVersion(context, staged);
    if (ref !== null) {
      await moveRef(context, staging, before, { ref, to: version.document, command: 'import' });
    }
    return readIndex(context);
  };
  const index = await locked(context, publish, options.signal);
  return {
    version: versionInfo(version.document, index),
    ref,
    summary: layer.summary,
    warnings: source.warnings,
  };
}

async function stageDifference(
  context: StoreContext,
  staging: Staging,
  source: { readonly disk: Disk; readonly size: number },
  onto: VersionDocument | null,
  { compression, signal, onProgress }: ImportOptions,
): Promise<StagedLayer> {
  const layer = {
    ...source,
    ranges: extentsOf(source.disk, 0, source.disk.size),
    ...{ compression, signal, onProgress },
  };
  const tip = onto?.layers.at(-1);
  if (onto === null || tip === undefined) return stageLayer(staging, { ...layer, below: null });
  await using below = await openChain(context, onto.layers, { signal, onProgress });
  return await stageLayer(staging, { ...layer, below: { tip, disk: below } });
}

function refToMake(file: string, ref: string | null | undefined): string | null {
  if (ref === null) return null;
  if (ref !== undefined) return parseRefName(ref);
  const made = refNameOfFile(basename(file));
  if (made !== undefined) return made;
  throw new CalveError('usage', `no ref can be made of the name ${basename(file)}`, {
    hint: `calve import ${file} REF`,
  });
}
