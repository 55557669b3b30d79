import { createHash } from 'node:crypto';
import { open, truncate, writeFile } from 'node:fs/promises';
import type { Disk } from '../../src/disk/index.ts';
import type { StoreContext } from '../../src/store/context.ts';
import { openLayout } from '../../src/store/open-store.ts';
import { Store } from '../../src/store/store.ts';
import { temporaryFolder } from './temporary.ts';

/** A store in a temporary folder, opened from the inside, and what it takes to fill it. */
export interface StoreScene extends AsyncDisposable {
  readonly store: Store;
  readonly context: StoreContext;
  /** A path beside the store. */
  path(name: string): string;
  /** A raw disk of `size` bytes beside the store: what is given at which offset, zeros elsewhere. */
  rawDisk(name: string, size: number, content?: Readonly<Record<number, Uint8Array>>): Promise<string>;
}

export const MiB: number = 1 << 20;

/** An empty store. */
export async function storeScene(): Promise<StoreScene> {
  const folder = await temporaryFolder('calve-store');
  const context: StoreContext = { layout: await openLayout(folder.join('store'), true), step: () => {} };
  return {
    store: new Store(context),
    context,
    path: (name) => folder.join(name),
    async rawDisk(name, size, content = {}) {
      const path = folder.join(name);
      await writeFile(path, '');
      await truncate(path, size);
      await using file = await open(path, 'r+');
      for (const [offset, bytes] of Object.entries(content)) {
        await file.write(bytes, 0, bytes.length, Number(offset));
      }
      return path;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Bytes that do not compress and are the same for the same seed. */
export function noise(seed: string | number, length: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < length; at += 64) {
    pieces.push(createHash('sha512').update(`${seed} ${at}`).digest());
  }
  return Buffer.concat(pieces).subarray(0, length);
}

/** Writes into an env through the library. */
export async function writeEnv(store: Store, name: string, offset: number, bytes: Uint8Array): Promise<void> {
  await using disk = await store.envs.openDisk(name, { writable: true });
  await disk.write(bytes, offset);
}

/** Reads a range of an env's disk, or of a version's. */
export async function readFrom(disk: Promise<Disk>, offset: number, length: number): Promise<Buffer> {
  await using opened = await disk;
  const into = Buffer.alloc(length);
  await opened.read(into, offset);
  return into;
}
