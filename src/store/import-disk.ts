import { basename } from 'node:path';
import { type Disk, extentsOf } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { ImageIndex } from '../oci/index.ts';
import { author } from './author.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { created } from './created.ts';
import { findVersion } from './get-version.ts';
import { openImportSource } from './import-source.ts';
import type { StagedLayer } from './layers.ts';
import { locked, settled } from './locking.ts';
import { checkMayMove, moveRef } from './move-ref.ts';
import { nearestBase } from './nearest-base.ts';
import { AUTO, type ImportOptions } from './options.ts';
import { verifyChain } from './protection.ts';
import { publishVersion, stageVersion } from './publish.ts';
import { versionInfo } from './read-version.ts';
import { readIndex } from './ref-index.ts';
import { parseRefName, refNameOfFile } from './ref-name.ts';
import { stageLayers, sumOf } from './stage-layers.ts';
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
  const auto = options.onto === AUTO;
  const named = options.onto == null || auto ? null : await findVersion(context, options.onto);
  const checkRef = (index: ImageIndex, onto: VersionDocument | null): void => {
    if (ref !== null) checkMayMove(index, ref, onto?.digest ?? null, `calve import ${file} NEW-REF`);
  };
  if (!auto) checkRef(await readIndex(context), named);

  const source = await openImportSource(file, options.format);
  await using disk = source.disk;
  const search = auto ? await nearestBase(context, disk, { ...options, file, ref }) : null;
  if (search !== null) options.onNearest?.(search.told);
  const onto = search === null ? named : search.onto;
  await using staging = await openStaging(context);
  const layers = await stageDifference(context, staging, { disk, size: source.size }, onto, options);
  const version = encodeVersion(
    {
      message: options.message ?? '',
      author: author(),
      created: created(),
      parents: onto === null ? [] : [onto.digest],
      size: source.size,
      machine: onto?.config.machine ?? {},
      made: { command: 'import', from: basename(file) },
    },
    [...(onto?.layers ?? []), ...layers.map((layer) => layer.info)],
  );
  const blobs = layers.map((layer) => layer.blob);
  const staged = await stageVersion(staging, blobs, version);

  const publish = async (): Promise<ImageIndex> => {
    const before = await readIndex(context);
    checkRef(before, onto);
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
    summary: sumOf(layers),
    nearest: search?.told ?? null,
    warnings: [...source.warnings, ...(search?.warnings ?? [])],
  };
}

async function stageDifference(
  context: StoreContext,
  staging: Staging,
  source: { readonly disk: Disk; readonly size: number },
  onto: VersionDocument | null,
  { compression, maxLayerSize, signal, onProgress }: ImportOptions,
): Promise<StagedLayer[]> {
  const { disk } = source;
  const layers = {
    ...source,
    rangesFrom: (offset: number) => extentsOf(disk, offset, Math.max(0, disk.size - offset)),
    ...{ compression, maxLayerSize, signal, onProgress },
  };
  const tip = onto?.layers.at(-1);
  if (onto === null || tip === undefined) return stageLayers(staging, { ...layers, below: null });
  await using below = await openChain(context, onto.layers, { once: true, signal, onProgress });
  return await stageLayers(staging, { ...layers, below: { tip, disk: below } });
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
