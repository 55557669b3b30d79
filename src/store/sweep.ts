import { rm, unlink } from 'node:fs/promises';
import { CalveError, errnoOf, systemError } from '../errors/index.ts';
import { openFile, statFile, syncFolder } from '../host/index.ts';
import { type Digest, digestOfHex, hexOf, isHex } from '../oci/index.ts';
import { readHeader } from '../qcow2/index.ts';
import { blobKind } from './blob-kind.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import { despiteImmutable } from './immutable.ts';
import { isInGrace, sinceWhen } from './roots.ts';
import { listFolder } from './staging.ts';
import type { BlobKind, GcBlob } from './types.ts';

/** A blob that may go. */
export type Unneeded = Omit<GcBlob, 'since' | 'why'>;

/**
 * The blobs that nothing needs and that are past their grace, in the order in which they may go: each before what it
 * names, so that at no instant a version is there without its blobs, or a layer without its parent.
 */
export async function unneededBlobs(
  context: StoreContext,
  census: Census,
  needed: ReadonlyMap<Digest, string>,
  graceDays: number,
): Promise<Unneeded[]> {
  const found: Unneeded[] = [];
  for (const hex of await listFolder(context.layout.blobs)) {
    if (!isHex(hex)) continue; // not ours; fsck names it
    const digest = digestOfHex(hex);
    if (needed.has(digest) || isInGrace(sinceWhen(context, digest) ?? 0, graceDays)) continue;
    const bytes = statFile(context.layout.blob(digest))?.size ?? 0;
    found.push({ digest, kind: await blobKind(context, census, digest), bytes });
  }
  const ofKind = (kind: BlobKind): Unneeded[] => found.filter((blob) => blob.kind === kind);
  const layers = await upperFirst(context, ofKind('layer'));
  return [...ofKind('manifest'), ...ofKind('config'), ...ofKind('other'), ...layers];
}

/** Deletes blobs in their order. The store lock is held. */
export async function deleteBlobs(context: StoreContext, blobs: readonly Unneeded[]): Promise<void> {
  let kind: BlobKind | undefined;
  for (const blob of blobs) {
    // Durable before the next kind: what names a blob never outlives it.
    if (kind !== undefined && kind !== blob.kind) await syncFolder(context.layout.blobs);
    kind = blob.kind;
    context.step(`delete ${blob.kind}`);
    try {
      // The stamp first: left behind, it would be nobody's.
      await rm(context.layout.stamp(blob.digest), { force: true });
      await removeBlob(context.layout.blob(blob.digest));
    } catch (error) {
      throw systemError(`cannot delete ${context.layout.blob(blob.digest)}`, error);
    }
  }
  if (kind !== undefined) await syncFolder(context.layout.blobs);
}

async function removeBlob(path: string): Promise<void> {
  try {
    // Not `rm`, which takes the refusal of an immutable file for a folder's.
    await despiteImmutable(path, () => unlink(path));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Each layer before its parent. */
async function upperFirst(context: StoreContext, layers: readonly Unneeded[]): Promise<Unneeded[]> {
  const byHex = new Map(layers.map((layer) => [hexOf(layer.digest), layer]));
  const parents = new Map<Unneeded, Unneeded | undefined>();
  for (const layer of layers) parents.set(layer, byHex.get((await parentOf(context, layer.digest)) ?? ''));
  const depths = new Map<Unneeded, number>();
  for (const layer of layers) {
    let depth = 0;
    // A layer's name covers its parent's name, so that there can be no cycle unless bytes were changed.
    for (let at = parents.get(layer); at !== undefined && depth <= layers.length; at = parents.get(at))
      depth += 1;
    depths.set(layer, depth);
  }
  return [...layers].sort((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0));
}

async function parentOf(context: StoreContext, layer: Digest): Promise<string | undefined> {
  try {
    await using file = await openFile(context.layout.blob(layer));
    return (await readHeader(file)).backingFile;
  } catch (error) {
    if (error instanceof CalveError) return undefined; // what is broken has no order to keep
    throw error;
  }
}
