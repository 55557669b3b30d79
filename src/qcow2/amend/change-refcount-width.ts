import { ENTRY_SIZE } from '../constants.ts';
import { type Geometry, geometryOf } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import { RefcountBlock } from '../writing/refcount-block.ts';
import { type HostRange, type RefcountTable, readRefcountTable } from '../writing/refcount-table.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import type { AmendImageOptions } from './amend-options.ts';
import { type Bookkeeping, holdsMuch, openBookkeeping } from './bookkeeping.ts';
import { findUsedBlocks } from './find-used-blocks.ts';
import { planRefcounts, type RefcountPlan } from './plan-refcounts.ts';
import { StoredRefcounts } from './stored-refcounts.ts';

/**
 * Reads all refcounts of an image, to know that they fit into another width.
 * @throws CalveError as `findUsedBlocks`; `corrupt`, `io`
 */
export async function checkRefcountsFit(
  file: ImageFile,
  header: ImageHeader,
  bits: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { current } = header;
  const stored = new StoredRefcounts(file, geometryOf(current), await readRefcountTable(file, current));
  await findUsedBlocks(file.path, stored, geometryOf({ ...current, refcountBits: bits }), signal);
}

/**
 * Counts the clusters of an image in refcounts of another width (specification, "Host cluster management"): a whole new
 * refcount table and new blocks, in clusters that were free, which count themselves too (trap 25). While they are
 * written the old ones hold, for which nothing has changed; then, when they are durable, one write within the header's
 * first sector puts them in force. Only then are the old ones released: a crash before that leaks them.
 *
 * Block by block: memory does not grow with the image, but for 8 bytes a block.
 *
 * @throws CalveError `out-of-range` for a refcount that does not fit, or a table past QEMU's limit, ahead of any
 *   change; `corrupt`, `no-space`, `io`; the signal's reason, up to the change of the header
 */
export async function changeRefcountWidth(
  file: ImageFile,
  header: ImageHeader,
  bits: number,
  options: AmendImageOptions,
): Promise<void> {
  const before = await openBookkeeping(file, header);
  const { clusterSize } = before.geometry;
  const to = geometryOf({ ...header.current, refcountBits: bits });
  const stored = new StoredRefcounts(file, before.geometry, before.metadata.refcountTable);
  const used = await findUsedBlocks(file.path, stored, to, options.signal);
  const { refcounts } = before.metadata;
  const plan = await planRefcounts({
    path: file.path,
    clusterSize,
    blockEntries: to.blockEntries,
    used,
    findFree: (from, atMost) => refcounts.findFree(from, atMost),
  });
  refuseOverlaps(before, plan);
  await writeBlocks(file, stored, to, plan, options);
  await file.write(encodeTable(plan, clusterSize), plan.table * clusterSize);
  await file.barrier();
  await header.patch({
    refcountTableOffset: plan.table * clusterSize,
    refcountTableClusters: plan.tableClusters,
    refcountBits: bits,
  });
  await file.barrier();
  await releaseTable(await openBookkeeping(file, header), before.metadata.refcountTable);
}

/** Trap 27: a free cluster that holds metadata means that the refcounts are wrong. */
function refuseOverlaps({ metadata, geometry }: Bookkeeping, plan: RefcountPlan): void {
  const { clusterSize } = geometry;
  metadata.clusters.checkData(plan.table * clusterSize, plan.tableClusters * clusterSize);
  for (const cluster of plan.blocks.values()) metadata.clusters.checkData(cluster * clusterSize, clusterSize);
}

async function writeBlocks(
  file: ImageFile,
  stored: StoredRefcounts,
  to: Geometry,
  plan: RefcountPlan,
  { signal, onProgress }: AmendImageOptions,
): Promise<void> {
  const own = ownClusters(plan);
  let next = 0;
  let done = 0;
  for (const [number, place] of plan.blocks) {
    signal?.throwIfAborted();
    const bytes = new Uint8Array(to.clusterSize);
    const block = new RefcountBlock(number, place * to.clusterSize, bytes, to.refcountBits);
    await fillBlock(block, stored, to);
    const first = number * to.blockEntries;
    for (let cluster = own[next]; cluster !== undefined; cluster = own[next]) {
      if (cluster >= first + to.blockEntries) break;
      block.set(cluster - first, 1);
      next += 1;
    }
    await file.write(bytes, block.offset);
    done += 1;
    onProgress?.({ stage: 'refcounts', done, total: plan.blocks.size });
  }
}

/** The clusters of the new structure, ascending: all of them were free. */
function ownClusters({ table, tableClusters, blocks }: RefcountPlan): Float64Array {
  const own = new Float64Array(tableClusters + blocks.size);
  for (let at = 0; at < tableClusters; at += 1) own[at] = table + at;
  own.set([...blocks.values()], tableClusters);
  return own.sort();
}

/** Copies the counts of the clusters that a new block counts. */
async function fillBlock(block: RefcountBlock, stored: StoredRefcounts, to: Geometry): Promise<void> {
  const { blockEntries } = stored.geometry;
  const first = block.index * to.blockEntries;
  const end = first + to.blockEntries;
  for (let cluster = first; cluster < end; ) {
    const index = Math.floor(cluster / blockEntries);
    const start = index * blockEntries;
    const old = await stored.block(index);
    const stop = Math.min(end, start + blockEntries);
    if (!old) {
      cluster = stop;
      continue;
    }
    for (; cluster < stop; cluster += 1) {
      const count = old.get(cluster - start);
      if (count > 0) block.set(cluster - first, count);
    }
  }
}

function encodeTable({ tableClusters, blocks }: RefcountPlan, clusterSize: number): Uint8Array {
  const table = Buffer.alloc(tableClusters * clusterSize);
  for (const [number, cluster] of blocks) {
    table.writeBigUInt64BE(BigInt(cluster * clusterSize), number * ENTRY_SIZE);
  }
  return table;
}

/** Gives back the clusters of a refcount table, and of its blocks, that the header does not name any more. */
async function releaseTable({ metadata, allocator }: Bookkeeping, table: RefcountTable): Promise<void> {
  const { file, clusterSize, refcounts, clusters } = metadata;
  for (const { offset, length } of rangesOf(table, clusterSize)) {
    const free = await allocator.release(offset / clusterSize, length / clusterSize);
    for (const range of free) file.punchHole(range.offset, range.length);
    if (holdsMuch(metadata)) {
      await refcounts.write((at) => clusters.checkMetadata('refcount block', at, clusterSize));
    }
  }
  await settleMetadata(metadata);
}

/** What a refcount table and its blocks take up, neighbours together. */
function* rangesOf(table: RefcountTable, clusterSize: number): Generator<HostRange> {
  yield table.place;
  let open: { readonly offset: number; length: number } | undefined;
  for (let index = 0; index < table.capacity; index += 1) {
    const offset = table.blockOffset(index);
    if (offset === 0) continue;
    if (open && open.offset + open.length === offset) {
      open.length += clusterSize;
      continue;
    }
    if (open) yield open;
    open = { offset, length: clusterSize };
  }
  if (open) yield open;
}
