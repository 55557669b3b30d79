import type { Extent, WritableDisk, ZeroOptions } from '../disk/index.ts';
import { type DirtyExtent, openQcow2, type Qcow2Disk } from '../qcow2/index.ts';
import { checkStandsOn, overlayPolicy } from './chain.ts';
import type { StoreContext } from './context.ts';
import { type LockedOverlay, lockEnv } from './env-lock.ts';
import { readVersion } from './read-version.ts';
import { readyChain } from './ready-chain.ts';
import type { LayerInfo, WorkOptions } from './types.ts';

/** Opens an env's disk on its verified base; the overlay is locked as QEMU would lock it until it is closed. */
export async function openEnvDisk(
  context: StoreContext,
  name: string,
  writable: boolean,
  options: WorkOptions = {},
): Promise<EnvDisk> {
  const locked = await lockEnv(context, name, writable ? 'write' : 'read');
  try {
    const { layers } = await readVersion(context, locked.env.version);
    await readyChain(context, layers, options);
    return new EnvDisk(await openOverlay(context, name, layers, { writable }), layers, locked);
  } catch (error) {
    await locked.release();
    throw error;
  }
}

/**
 * Opens an env's overlay without locking it. The chain must have been verified.
 * @param options.follow false opens the overlay alone, which reads zeros where it has nothing (default true)
 * @throws CalveError `corrupt` when the overlay stands on anything but the version's last layer
 */
export async function openOverlay(
  context: StoreContext,
  name: string,
  layers: readonly LayerInfo[],
  options: { readonly writable?: boolean; readonly follow?: boolean },
): Promise<Qcow2Disk> {
  return openOverlayAt(context, context.layout.overlay(name), layers, options);
}

/** As `openOverlay`, of an overlay that lies elsewhere. */
export async function openOverlayAt(
  context: StoreContext,
  path: string,
  layers: readonly LayerInfo[],
  options: { readonly writable?: boolean; readonly follow?: boolean },
): Promise<Qcow2Disk> {
  const { writable = false, follow = true } = options;
  const disk = await openQcow2(path, {
    writable,
    lock: false,
    backing: overlayPolicy(context, layers, follow),
    maxDepth: Number.MAX_SAFE_INTEGER,
  });
  try {
    checkStandsOn(disk, layers, path);
  } catch (error) {
    await disk.close();
    throw error;
  }
  return disk;
}

/** An env's disk, which takes its lock along. */
class EnvDisk implements WritableDisk {
  readonly size: number;
  /** What the overlay stands on, base first. */
  readonly layers: readonly LayerInfo[];
  readonly #disk: Qcow2Disk;
  readonly #lock: LockedOverlay;

  constructor(disk: Qcow2Disk, layers: readonly LayerInfo[], lock: LockedOverlay) {
    this.size = disk.size;
    this.layers = layers;
    this.#disk = disk;
    this.#lock = lock;
  }

  read(into: Uint8Array, offset: number): Promise<void> {
    return this.#disk.read(into, offset);
  }
  tryRead(into: Uint8Array, offset: number): boolean {
    return this.#disk.tryRead(into, offset);
  }
  extents(offset: number, length: number): AsyncIterable<Extent> {
    return this.#disk.extents(offset, length);
  }
  /** What a dirty bitmap of the overlay says: QEMU may have made one. */
  dirtyExtents(bitmap: string, offset: number, length: number): AsyncIterable<DirtyExtent> {
    return this.#disk.dirtyExtents(bitmap, offset, length);
  }
  write(from: Uint8Array, offset: number): Promise<void> {
    return this.#disk.write(from, offset);
  }
  writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    return this.#disk.writeZeroes(offset, length, options);
  }
  discard(offset: number, length: number): Promise<void> {
    return this.#disk.discard(offset, length);
  }
  flush(): Promise<void> {
    return this.#disk.flush();
  }

  /** The lock goes last: the overlay is whole by then. */
  async close(): Promise<void> {
    try {
      await this.#disk.close();
    } finally {
      await this.#lock.release();
    }
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
