import { succeed } from './programs.ts';

/** An image as QEMU makes it, with something of everything that its kind allows. */
export interface ImageKind {
  /** `-o` of `qemu-img create`. */
  readonly options?: string;
  readonly size: string;
  /** qemu-io commands. */
  readonly writes: readonly string[];
  readonly snapshots?: number;
  readonly bitmaps?: number;
}

const WRITES_64K = [
  'write -P 1 0 1M',
  'write -z 2M 128k',
  'write -P 2 3M 64k',
  'write -c -P 3 5M 64k',
  'write -c -P 4 5184k 64k',
];
const WRITES_512 = [
  'write -P 1 0 24k',
  'write -z 60k 4k',
  'write -P 2 90k 700',
  'write -c -P 3 100k 512',
  'write -c -P 4 102912 512',
];

/** The kinds of images that a check treats differently: every cluster size, refcount width and feature. */
export const IMAGE_KIND_NAMES = [
  'plain',
  'version 2',
  'snapshots',
  'bitmaps',
  'subclusters',
  'clusters of 512 bytes',
  'refcounts of 1 bit',
  'refcounts of 4 bits',
  'refcounts of 64 bits',
  'clusters of 2 MiB',
] as const;

export type ImageKindName = (typeof IMAGE_KIND_NAMES)[number];

/** How each is made. */
export const IMAGE_KINDS: Readonly<Record<ImageKindName, ImageKind>> = {
  plain: { size: '10M', writes: WRITES_64K },
  'version 2': { options: 'compat=0.10', size: '10M', writes: WRITES_64K },
  snapshots: { size: '10M', writes: WRITES_64K, snapshots: 2 },
  bitmaps: { size: '10M', writes: WRITES_64K, bitmaps: 2 },
  subclusters: {
    options: 'extended_l2=on',
    size: '10M',
    writes: [...WRITES_64K, 'write -P 5 7M 3k', 'write -z 8M 5k'],
    snapshots: 1,
  },
  'clusters of 512 bytes': { options: 'cluster_size=512', size: '200k', writes: WRITES_512, snapshots: 1 },
  'refcounts of 1 bit': { options: 'cluster_size=512,refcount_bits=1', size: '200k', writes: WRITES_512 },
  'refcounts of 4 bits': {
    options: 'cluster_size=4k,refcount_bits=4',
    size: '2M',
    writes: ['write -P 1 0 200k', 'write -z 600k 16k', 'write -c -P 2 1M 4k'],
    snapshots: 2,
  },
  'refcounts of 64 bits': {
    options: 'cluster_size=512,refcount_bits=64',
    size: '200k',
    writes: WRITES_512,
    snapshots: 1,
  },
  'clusters of 2 MiB': { options: 'cluster_size=2M', size: '16M', writes: ['write -P 1 0 5M'], snapshots: 1 },
};

/** Makes an image. After each snapshot, and each bitmap, its first sector is written again. */
export async function makeImage(kind: ImageKind, path: string): Promise<void> {
  const options = kind.options === undefined ? [] : ['-o', kind.options];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, kind.size]);
  await succeed('qemu-io', [...kind.writes.flatMap((command) => ['-c', command]), path]);
  for (let index = 0; index < (kind.snapshots ?? 0); index += 1) {
    await succeed('qemu-img', ['snapshot', '-c', `s${index}`, path]);
    await succeed('qemu-io', ['-c', `write -P ${16 + index} 0 512`, path]);
  }
  for (let index = 0; index < (kind.bitmaps ?? 0); index += 1) {
    await succeed('qemu-img', ['bitmap', '--add', path, `b${index}`]);
    await succeed('qemu-io', ['-c', `write -P ${16 + index} 0 512`, path]);
  }
}
