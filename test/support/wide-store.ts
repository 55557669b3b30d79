import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Disk, MemoryDisk } from '../../src/disk/index.ts';
import { statFile } from '../../src/host/index.ts';
import { canonicalJson, digestOf, EMPTY_INDEX, hexOf } from '../../src/oci/index.ts';
import { type EmptyImage, writeLayer } from '../../src/qcow2/index.ts';
import { encodeEnvDocument } from '../../src/store/env-document.ts';
import type { StoreLayout } from '../../src/store/layout.ts';
import { openLayout } from '../../src/store/open-store.ts';
import { encodeIndex, withRef } from '../../src/store/ref-index.ts';
import { overlayImage } from '../../src/store/stage-env.ts';
import { writeStamp } from '../../src/store/stamps.ts';
import type { LayerInfo, RefMove } from '../../src/store/types.ts';
import { encodeVersion, type VersionDocument } from '../../src/store/version-document.ts';
import { allData } from './layer-scene.ts';

/** How much there is in a store. */
export interface Width {
  readonly versions: number;
  readonly envs: number;
  /** Bytes of every disk (default 64 KiB). */
  readonly size?: number;
}

/** Small, so that a layer takes a few KiB; the usual for disks of which such small ones cannot be made. */
const clusterFor = (size: number): number => (size <= 2 ** 30 ? 512 : 65536);
/** When the first version was made; each is a minute younger than the one before. */
const BEGAN = Date.parse('2026-01-01T00:00:00.000Z');

/**
 * A store as many commits and `new`s leave it, made in about a second a thousand: versions `wide:0`, `wide:1` …, each
 * the child of the one before, each with a ref and with a layer of its own on one base; environments `env-0`, `env-1`
 * …, on each version in turn. All is as calve writes it, but for the layers' cluster size, and nothing is synced.
 */
export async function makeWideStore(folder: string, width: Width): Promise<void> {
  const { versions, envs, size = 64 << 10 } = width;
  const layout = await openLayout(folder, true);
  const layerAt = await layersOf(layout, size);
  const made: VersionDocument[] = [];
  for (let at = 0; at < versions; at += 1)
    made.push(writeVersion(layout, at, made.at(-1), size, layerAt(at)));
  const manifests = made.flatMap((version, at) => withRef(EMPTY_INDEX, `wide:${at}`, version).manifests);
  writeFileSync(layout.index, encodeIndex({ ...EMPTY_INDEX, manifests }));
  writeFileSync(layout.refLog, made.map((version, at) => `${canonicalJson(moveOf(version, at))}\n`).join(''));
  const images = made.map((version) => overlayImage(version));
  for (let at = 0; at < envs; at += 1) {
    const on = at % versions;
    writeEnv(layout, `env-${at}`, `wide:${on}`, made[on], images[on]);
  }
}

/** Writes the base; the function writes the layer on it that is a version's own, and returns the version's chain. */
async function layersOf(layout: StoreLayout, size: number): Promise<(at: number) => LayerInfo[]> {
  const cluster = clusterFor(size);
  await using disk = new MemoryDisk(size);
  await disk.write(bytesFor(0, cluster), 0);
  const base = await encodeLayer(layout, disk, size);
  const baseInfo = writeBlob(layout, base, true);
  await disk.write(bytesFor(1, cluster), 0);
  await using parent = new MemoryDisk(size);
  await parent.write(bytesFor(0, cluster), 0);
  const layer = await encodeLayer(layout, disk, size, { backingFile: hexOf(baseInfo.digest), parent });
  return (at) => {
    if (at === 0) return [baseInfo];
    // One plain cluster, the file's last, is all in which two of these layers differ.
    layer.set(bytesFor(at, cluster), layer.length - cluster);
    return [baseInfo, writeBlob(layout, layer, true)];
  };
}

async function encodeLayer(
  layout: StoreLayout,
  source: Disk,
  size: number,
  below: { backingFile?: string; parent?: Disk } = {},
): Promise<Buffer> {
  const path = join(layout.tmp, below.backingFile ?? 'base');
  const clusterSize = clusterFor(size);
  const ranges = allData(clusterSize);
  await writeLayer(path, { size, clusterSize, compression: 'none', source, ranges, ...below });
  const bytes = readFileSync(path);
  rmSync(path);
  return bytes;
}

/** A cluster that does not compress, another for each number. */
function bytesFor(at: number, length: number): Buffer {
  const bytes = createHash('sha512').update(String(at)).digest();
  return Buffer.concat(Array.from({ length: length / bytes.length }, () => bytes));
}

function writeBlob(layout: StoreLayout, bytes: string | Uint8Array, isLayer = false): LayerInfo {
  const digest = digestOf(bytes);
  const path = layout.blob(digest);
  writeFileSync(path, bytes, { mode: 0o444 });
  const stat = statFile(path);
  if (stat === undefined) throw new Error(`${path} is gone`);
  if (isLayer) writeStamp({ layout, step: () => {} }, digest, stat);
  return { digest, size: stat.size };
}

function writeVersion(
  layout: StoreLayout,
  at: number,
  parent: VersionDocument | undefined,
  size: number,
  layers: LayerInfo[],
): VersionDocument {
  const { document, manifest, config } = encodeVersion(
    {
      message: `version ${at}`,
      author: 'Tester <tester@example.org>',
      created: timeOf(at),
      parents: parent === undefined ? [] : [parent.digest],
      size,
      machine: {},
      made: { command: 'commit', from: `env-${at}` },
    },
    layers,
  );
  writeBlob(layout, config);
  writeBlob(layout, manifest);
  return document;
}

function moveOf({ digest }: VersionDocument, at: number): RefMove {
  const id = at.toString(16).padStart(16, '0');
  return { id, time: timeOf(at), ref: `wide:${at}`, from: null, to: digest, command: 'commit' };
}

function writeEnv(
  layout: StoreLayout,
  name: string,
  ref: string,
  version: VersionDocument | undefined,
  image: EmptyImage | undefined,
): void {
  if (version === undefined || image === undefined) throw new Error('an env needs a version');
  mkdirSync(layout.env(name));
  const env = { version: version.digest, ref, created: version.config.created, machine: {} };
  writeFileSync(layout.envDocument(name), encodeEnvDocument(env));
  const fd = openSync(layout.overlay(name), 'wx');
  try {
    for (const { offset, bytes } of image.parts) writeSync(fd, bytes, 0, bytes.length, offset);
    ftruncateSync(fd, image.length);
  } finally {
    closeSync(fd);
  }
}

function timeOf(at: number): string {
  return new Date(BEGAN + at * 60_000).toISOString();
}
