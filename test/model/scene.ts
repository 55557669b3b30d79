import { type Disk, MemoryDisk } from '../../src/disk/index.ts';
import { encodeEmptyImage } from '../../src/qcow2/index.ts';
import type { ModelDisk, ModelTraits } from './model-disk.ts';
import { UNIT } from './step.ts';

/** The image that a sequence of steps begins with. Sizes are bytes. */
export interface Scene {
  readonly name: string;
  readonly size: number;
  readonly clusterSize: number;
  readonly version: 2 | 3;
  readonly refcountBits: number;
  readonly compressionType: 'zlib' | 'zstd';
  readonly extendedL2: boolean;
  /** Length of the raw file that the image is based on; undefined when on none. */
  readonly backing: number | undefined;
  /** As many as a refcount of this width can tell of, and a few at most. */
  readonly mostSnapshots: number;
  /** Memory for tables, so that they are written in between. */
  readonly tableBytes: number | undefined;
}

/** The name of the raw file that images with a backing file are based on, beside them, and what it holds throughout. */
export const BASE_NAME = 'base.raw';
export const BASE_VALUE = 0xb5;

type Differences = Partial<Omit<Scene, 'name' | 'mostSnapshots'>>;

function scene(name: string, differences: Differences): Scene {
  const refcountBits = differences.refcountBits ?? 16;
  return {
    name,
    clusterSize: 4096,
    version: 3,
    refcountBits,
    compressionType: 'zlib',
    extendedL2: false,
    size: 33 * (differences.clusterSize ?? 4096) - 512,
    backing: undefined,
    tableBytes: undefined,
    ...differences,
    mostSnapshots: refcountBits < 8 ? Math.max(0, 2 ** refcountBits - 2) : 4,
  };
}

/** Images with extended L2 entries. */
const SUBCLUSTERS: readonly Scene[] = [
  scene('subclusters', { clusterSize: 16_384, extendedL2: true, size: 12 * 16_384 + 1536 }),
  scene('subclusters over a shorter base', {
    clusterSize: 16_384,
    extendedL2: true,
    size: 12 * 16_384 + 1536,
    backing: 70 * 1024,
  }),
  scene('subclusters of 2 KiB, refcounts of 2 bits', {
    clusterSize: 65_536,
    extendedL2: true,
    refcountBits: 2,
    size: 5 * 65_536,
  }),
];

/** Kinds of images for which something else is true somewhere in the engine. */
export const SCENES: readonly Scene[] = [
  scene('plain', {}),
  scene('version 2', { version: 2 }),
  scene('clusters of 512 bytes', { clusterSize: 512, size: 96 * 1024 }),
  scene('clusters of 512 bytes, version 2', { clusterSize: 512, size: 70 * 1024 + 512, version: 2 }),
  scene('clusters of 512 bytes, little memory', { clusterSize: 512, size: 200 * 1024, tableBytes: 4096 }),
  scene('clusters of 64 KiB', { clusterSize: 65_536, size: 9 * 65_536 + 1024 }),
  scene('refcounts of 1 bit', { clusterSize: 1024, refcountBits: 1 }),
  scene('refcounts of 2 bits', { clusterSize: 512, refcountBits: 2, size: 64 * 1024 }),
  scene('refcounts of 4 bits', { clusterSize: 1024, refcountBits: 4 }),
  scene('refcounts of 8 bits', { clusterSize: 2048, refcountBits: 8 }),
  scene('refcounts of 64 bits', { clusterSize: 512, refcountBits: 64, size: 128 * 1024 }),
  scene('zstd', { compressionType: 'zstd' }),
  scene('over a shorter base', { backing: 70 * 1024 }),
  scene('over a longer base', { backing: 400 * 1024 }),
  scene('version 2 over a shorter base', { version: 2, backing: 50 * 1024 + 512 }),
  scene('version 2 over a longer base', { version: 2, backing: 300 * 1024, clusterSize: 1024 }),
  ...SUBCLUSTERS,
];

export function traitsOf({ clusterSize, version, backing }: Scene): ModelTraits {
  return { clusterSize, discardKeeps: version === 2 && backing !== undefined };
}

/** The bytes of the image. */
export function imageOf(scene: Scene): Uint8Array {
  const { size, clusterSize, version, refcountBits, compressionType, extendedL2, backing } = scene;
  const named = backing === undefined ? {} : { backingFile: BASE_NAME, backingFormat: 'raw' };
  return encodeEmptyImage({
    size,
    clusterSize,
    version,
    refcountBits,
    compressionType,
    extendedL2,
    ...named,
  });
}

/** What it reads. */
export function contentOf({ size, backing = 0 }: Scene): ModelDisk {
  const units = new Uint8Array(size / UNIT).fill(BASE_VALUE, 0, Math.min(size, backing) / UNIT);
  return { units, snapshots: new Map() };
}

/** What it is based on; closed by whoever gets it. */
export async function baseOf({ backing }: Scene): Promise<Disk | null> {
  if (backing === undefined) return null;
  const disk = new MemoryDisk(backing);
  await disk.write(Buffer.alloc(backing, BASE_VALUE), 0);
  return disk;
}
