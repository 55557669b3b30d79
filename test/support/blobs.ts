import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** The paths of a store's blobs, sorted. */
export async function blobPaths(store: string): Promise<string[]> {
  const folder = join(store, 'blobs', 'sha256');
  return (await readdir(folder)).sort().map((name) => join(folder, name));
}

/** Those of a store's blobs that are qcow2 files. */
export async function layerPaths(store: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of await blobPaths(store)) {
    await using file = await open(path, 'r');
    const { buffer } = await file.read({ buffer: Buffer.alloc(4), position: 0 });
    if (buffer.toString('latin1') === 'QFI\xfb') found.push(path);
  }
  return found;
}

/** The sha256 of a file's bytes, in hex. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** Asserts that each of these blobs is there and still hashes to its name. */
export async function assertBlobsUntouched(paths: string[]): Promise<void> {
  for (const path of paths) assert.ok(path.endsWith(`/${await sha256File(path)}`), `${path} has changed`);
}
