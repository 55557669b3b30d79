import { rename } from 'node:fs/promises';
import { CalveError, systemError } from '../errors/index.ts';
import { openFile, statFile, syncFolder } from '../host/index.ts';
import { type Digest, hexOf } from '../oci/index.ts';
import type { BlobSource } from './blob-source.ts';
import type { StoreContext } from './context.ts';
import { fetchBlob } from './fetch-blob.ts';
import { examineBlob } from './fsck-blobs.ts';
import type { Survey } from './fsck-survey.ts';
import { keepHarmed } from './harmed-files.ts';
import { checkMayFreeze, freeze } from './immutable.ts';
import { isQcow2File } from './is-qcow2-file.ts';
import { locked } from './locking.ts';
import { LARGEST_MANIFEST, manifestsOf } from './manifests.ts';
import { openStaging, type Staging } from './staging.ts';
import { hasStamp } from './stamps.ts';
import { readConfig } from './store-config.ts';
import type { FsckMended, FsckReport, WorkOptions } from './types.ts';

/** What came of an attempt to fetch what problems need. */
export interface Fetched {
  readonly mended: FsckMended[];
  /** Why a blob could not be had. */
  readonly refused: Map<Digest, string>;
}

/**
 * Fetches the blobs that problems need and puts each in its place when all its bytes are right. Those that are in place
 * stay there whatever becomes of the others, so that a repair that was cut off is gone on with by running it again.
 */
export async function fetchBlobs(
  context: StoreContext,
  source: BlobSource,
  survey: Survey,
  problems: FsckReport['problems'],
  options: WorkOptions,
): Promise<Fetched> {
  const fetched: Fetched = { mended: [], refused: new Map() };
  const wanted = new Set(problems.flatMap(({ needs }) => needs ?? []));
  const sizes = await sizesOf(context, wanted);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    options.onProgress?.({ phase: 'fetching', done: Math.min(done, total), total });
  };
  await using staging = await openStaging(context);
  for (const blob of wanted) {
    const path = staging.path(hexOf(blob));
    const most = sizes.get(blob) ?? LARGEST_MANIFEST;
    const refusal = await whyNotFetched(
      fetchBlob(source, blob, path, { most, signal: options.signal, onBytes }),
    );
    if (refusal !== undefined) {
      fetched.refused.set(blob, `${source.name}: ${refusal}`);
      continue;
    }
    const kind = statFile(context.layout.blob(blob)) === undefined ? 'blob-missing' : 'blob-changed';
    const kept = await putInPlace(context, staging, blob);
    await examineBlob(context, blob, survey.blobs, { signal: options.signal });
    const where = kept === null ? '' : `; what lay there is kept as ${kept}`;
    const message = `blob ${blob} was fetched from ${source.name}${where}`;
    fetched.mended.push({ kind, where: blob, message });
  }
  return fetched;
}

/** What concerns one blob, not the repair. */
async function whyNotFetched(fetching: Promise<boolean>): Promise<string | undefined> {
  try {
    return (await fetching) ? undefined : 'it has no such blob';
  } catch (error) {
    if (!(error instanceof CalveError) || error.code === 'aborted' || error.code === 'no-space') throw error;
    return error.message;
  }
}

/** How many bytes the wanted blobs have, as far as some manifest says. What none names can only be a manifest. */
async function sizesOf(context: StoreContext, wanted: ReadonlySet<Digest>): Promise<Map<Digest, number>> {
  const sizes = new Map<Digest, number>();
  for await (const { config, layers } of manifestsOf(context, '', () => {})) {
    for (const { digest, size } of [config, ...layers]) if (wanted.has(digest)) sizes.set(digest, size);
  }
  return sizes;
}

/** Renames a blob whose bytes are right over what lies in its place, which is kept. Returns where that is now. */
async function putInPlace(context: StoreContext, staging: Staging, blob: Digest): Promise<string | null> {
  const path = staging.path(hexOf(blob));
  const target = context.layout.blob(blob);
  return locked(context, async () => {
    const there = statFile(target);
    if (there !== undefined && hasStamp(context, blob, there)) return null; // somebody was quicker
    const frozen = (await readConfig(context)).immutable && (await isLayer(path));
    if (frozen) await checkMayFreeze([path]);
    context.step('keep the harmed blob');
    const kept = await keepHarmed(context, blob);
    context.step('publish the mended blob');
    try {
      await rename(path, target);
    } catch (error) {
      throw systemError(`cannot rename ${path} to ${target}`, error);
    }
    await syncFolder(context.layout.blobs);
    if (frozen) await freeze(target);
    return kept;
  });
}

async function isLayer(path: string): Promise<boolean> {
  await using file = await openFile(path);
  return await isQcow2File(file);
}
