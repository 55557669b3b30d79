import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Disk, type Extent, extentsOf, MemoryDisk } from '../../src/disk/index.ts';
import { type LayerOptions, type LayerSummary, writeLayer } from '../../src/qcow2/layer/write-layer.ts';
import { sha256File } from './blobs.ts';
import { qemuImgCheck, qemuImgCompare } from './qemu.ts';

/** A layer under the name that its children know it by. */
export interface WrittenLayer {
  readonly path: string;
  readonly hex: string;
  readonly summary: LayerSummary;
}

/** A disk in memory that holds these bytes; pages of zeros are unallocated. */
export async function diskOf(bytes: Uint8Array): Promise<MemoryDisk> {
  const disk = new MemoryDisk(bytes.length);
  for (let at = 0; at < bytes.length; at += 65536) {
    const page = bytes.subarray(at, at + 65536);
    if (page.some((byte) => byte !== 0)) await disk.write(page, at);
  }
  return disk;
}

/** Everything in a disk, as data. */
export async function* allData(length: number): AsyncGenerator<Extent> {
  if (length > 0) yield { offset: 0, length, kind: 'data', depth: 0 };
}

/** Writes a layer of a whole disk and names it by its digest. */
export async function writeNamedLayer(
  folder: string,
  source: Disk,
  options: Partial<LayerOptions> = {},
): Promise<WrittenLayer> {
  const path = join(folder, randomUUID());
  const size = options.size ?? Math.ceil(source.size / 512) * 512;
  const ranges = extentsOf(source, 0, Math.min(source.size, size));
  const summary = await writeLayer(path, { source, size, ranges, compression: 'zstd', ...options });
  const hex = summary.digest.replace('sha256:', '');
  assert.equal(await sha256File(path), hex);
  await rename(path, join(folder, hex));
  return { path: join(folder, hex), hex, summary };
}

/** Asserts that QEMU finds nothing to say about a layer, reads these bytes from it, and that no byte is to spare. */
export async function assertLayer(layer: WrittenLayer, content: Uint8Array): Promise<void> {
  const file = await readFile(layer.path);
  assert.equal(file.length, layer.summary.fileSize);
  assertNothingUnused(file);
  await qemuImgCheck(layer.path);
  const raw = `${layer.path}.raw`;
  await writeFile(raw, content);
  await qemuImgCompare(raw, 'raw', layer.path, 'qcow2');
  await rm(raw);
}

/** Every cluster of the file has a refcount, and nothing past its end has one. */
function assertNothingUnused(file: Buffer): void {
  const clusterSize = 2 ** file.readUInt32BE(20);
  const tableOffset = Number(file.readBigUInt64BE(48));
  const clusters = Math.ceil(file.length / clusterSize);
  const inBlock = clusterSize / 2;
  const blocks = Math.ceil(clusters / inBlock);
  for (let cluster = 0; cluster < blocks * inBlock; cluster += 1) {
    const block = Number(file.readBigUInt64BE(tableOffset + Math.floor(cluster / inBlock) * 8));
    const count = file.readUInt16BE(block + (cluster % inBlock) * 2);
    assert.equal(count > 0, cluster < clusters, `cluster ${cluster} of ${clusters} has refcount ${count}`);
  }
}
