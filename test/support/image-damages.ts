import { COPIED, type DamagedImage } from './damaged-image.ts';
import { IMAGE_KIND_NAMES, type ImageKindName } from './image-kinds.ts';

/** One way to damage an image, and what a check and a repair are to make of it. */
export interface Damage {
  readonly name: string;
  /** The image that is damaged. */
  readonly kind: ImageKindName;
  readonly damage: (image: DamagedImage) => void;
  /** Kinds of findings that are among those told. */
  readonly finds: readonly string[];
  /** Where calve's counts are not QEMU's: why, and what calve counts. */
  readonly unlike?: { readonly why: string; readonly corruptions: number; readonly leaks: number };
  /** Where a repair does not leave an image without a finding: why, and what is left. */
  readonly left?: { readonly why: string; readonly corruptions: number; readonly leaks: number };
  /**
   * What the guest reads after a repair: what it read before the damage, or that with some of its clusters zeroed
   * (`zeroed`), or what it reads after QEMU's repair of the damaged image (`qemu`).
   */
  readonly reads?: 'as before' | 'qemu' | { readonly zeroed: readonly number[] };
}

const RESERVED_L2 = (1n << 57n) | 2n;
const RESERVED_L1 = (1n << 60n) | 4n;
const REFUSES = 'QEMU does not open such an image even to check it';

/** A cluster more at the end of the file, free. */
function spare(image: DamagedImage): number {
  image.resize((image.clusters + 1) * image.clusterSize);
  return image.clusters - 1;
}

/** An offset behind the file. */
function behind(image: DamagedImage): bigint {
  return BigInt((image.clusters + 1000) * image.clusterSize);
}

function cluster(image: DamagedImage, guest: number): number {
  return image.dataOffset(guest) / image.clusterSize;
}

/** Damage that every kind of image can have. Its first guest clusters are plain data. */
export function commonDamages(kind: ImageKindName): Damage[] {
  const at = (index: number) => (image: DamagedImage) => image.l2Entry(index);
  const second = at(1);
  // A refcount of 1 bit is full before it can tell of two references.
  const shared = kind === 'refcounts of 1 bit' ? 'refcount-overflow' : 'refcount-block-shared';
  return [
    {
      name: 'a leaked cluster',
      kind,
      damage: (image) => image.setRefcount(spare(image), 1),
      finds: ['leak'],
    },
    {
      name: 'a cluster in use with a refcount of 0',
      kind,
      damage: (image) => image.setRefcount(cluster(image, 1), 0),
      finds: ['refcount-too-low'],
    },
    {
      name: 'an L2 table with a refcount of 0',
      kind,
      damage: (image) => image.setRefcount(Math.floor(image.l2Entry(0) / image.clusterSize), 0),
      finds: ['refcount-too-low', 'copied-wrong'],
    },
    {
      name: 'trap 26: COPIED the wrong way round',
      kind,
      damage: (image) => image.change(second(image), (entry) => entry ^ COPIED),
      finds: ['copied-wrong'],
    },
    {
      name: 'COPIED the wrong way round in the L1 table',
      kind,
      damage: (image) => image.change(image.l1Entry(0), (entry) => entry ^ COPIED),
      finds: ['copied-wrong'],
    },
    {
      name: 'trap 19: data behind the end of the file',
      kind,
      damage: (image) => image.set(second(image), behind(image)),
      finds: ['past-end', 'leak'],
      reads: { zeroed: [1] },
    },
    {
      name: 'data right behind the end of the file',
      kind,
      damage: (image) => {
        spare(image);
        image.set(second(image), BigInt(image.bytes.length) | COPIED);
      },
      finds: ['past-end', 'leak'],
      reads: { zeroed: [1] },
    },
    {
      name: 'an L2 table behind the end of the file',
      kind,
      damage: (image) => image.set(image.l1Entry(0), behind(image) | COPIED),
      finds: ['past-end', 'copied-wrong', 'leak'],
      reads: 'qemu',
    },
    {
      name: 'reserved bits in an L2 entry',
      kind,
      damage: (image) => image.change(second(image), (entry) => entry | RESERVED_L2),
      finds: ['l2-reserved-bits'],
    },
    {
      name: 'reserved bits in an L1 entry',
      kind,
      damage: (image) => image.change(image.l1Entry(0), (entry) => entry | RESERVED_L1),
      finds: ['l1-reserved-bits'],
    },
    {
      name: 'a missing refcount block',
      kind,
      damage: (image) => image.set(image.refcountTableEntry(0), 0n),
      finds: ['refcount-too-low'],
    },
    {
      name: 'reserved bits in the refcount table',
      kind,
      damage: (image) => image.change(image.refcountTableEntry(0), (entry) => entry | 2n),
      finds: ['refcount-table-reserved-bits', 'leak'],
    },
    {
      name: 'a refcount block behind the end of the file',
      kind,
      damage: (image) => image.set(image.refcountTableEntry(0), behind(image)),
      finds: ['refcount-block-past-end', 'refcount-too-low'],
    },
    {
      name: 'two refcount table entries with one block',
      kind,
      damage: (image) => image.set(image.refcountTableEntry(3), image.get(image.refcountTableEntry(0))),
      finds: [shared],
    },
    {
      name: 'a refcount block on guest data',
      kind,
      damage: (image) => image.set(image.refcountTableEntry(4), BigInt(image.dataOffset(2))),
      finds: [shared],
    },
    {
      name: 'the refcount table behind the end of the file',
      kind,
      damage: (image) => image.set(48, behind(image)),
      finds: ['refcount-table-past-end', 'refcount-too-low'],
    },
  ];
}

/** Damage to images with clusters of more than a sector. */
export function alignmentDamages(kind: ImageKindName): Damage[] {
  return [
    {
      name: 'data that does not start at a cluster',
      kind,
      damage: (image) => image.change(image.l2Entry(1), (entry) => entry | 512n),
      finds: ['cluster-unaligned'],
      reads: { zeroed: [1] },
    },
    {
      name: 'a refcount block that does not start at a cluster',
      kind,
      damage: (image) => image.change(image.refcountTableEntry(0), (entry) => entry | 512n),
      finds: ['refcount-block-unaligned', 'refcount-unreadable'],
    },
    {
      name: 'a file cut off within its last cluster',
      kind,
      damage: (image) => {
        image.change(image.l2Entry(1), () => BigInt(spare(image) * image.clusterSize));
        image.resize(image.bytes.length - 700);
      },
      finds: ['refcount-too-low', 'leak'],
      reads: { zeroed: [1] },
    },
  ];
}

/**
 * Those of a kind's damages that are tried each time: a third, for each kind of image another one, so that every damage
 * is met in several. With `EVERY_DAMAGE` in the environment, all.
 */
export function sampled(kind: ImageKindName, damages: readonly Damage[]): readonly Damage[] {
  if (process.env['EVERY_DAMAGE'] !== undefined) return damages;
  const turn = IMAGE_KIND_NAMES.indexOf(kind);
  return damages.filter((_, index) => (index + turn) % 3 === 0);
}

/** Damage to one kind of image. */
export const SPECIAL_DAMAGES: readonly Damage[] = [
  {
    name: 'a refcount that is too high',
    kind: 'plain',
    damage: (image) => image.setRefcount(cluster(image, 1), 2),
    finds: ['leak', 'copied-wrong'],
  },
  {
    name: 'a refcount of 64 bits that is far too high',
    kind: 'refcounts of 64 bits',
    damage: (image) => image.setRefcount(cluster(image, 1), 2 ** 40),
    finds: ['leak'],
  },
  {
    name: 'a shared cluster with a refcount of 1',
    kind: 'snapshots',
    damage: (image) => image.setRefcount(cluster(image, 1), 1),
    finds: ['refcount-too-low', 'copied-wrong'],
  },
  {
    name: 'two guest clusters in one',
    kind: 'plain',
    damage: (image) => image.set(image.l2Entry(1), image.get(image.l2Entry(0))),
    finds: ['refcount-too-low', 'leak'],
    reads: 'qemu',
  },
  {
    name: 'two guest clusters in one, with refcounts of 1 bit',
    kind: 'refcounts of 1 bit',
    damage: (image) => image.set(image.l2Entry(1), image.get(image.l2Entry(0))),
    finds: ['refcount-overflow', 'leak'],
    reads: 'qemu',
    left: { why: 'a refcount of 1 bit cannot say 2', corruptions: 1, leaks: 0 },
  },
  {
    name: 'data on the L1 table',
    kind: 'plain',
    damage: (image) => image.set(image.l2Entry(1), BigInt(image.l1Offset) | COPIED),
    finds: ['refcount-too-low', 'leak'],
    reads: 'qemu',
  },
  {
    name: 'data on its own L2 table',
    kind: 'plain',
    damage: (image) => image.set(image.l2Entry(1), BigInt(image.l2Entry(0)) | COPIED),
    finds: ['refcount-too-low', 'leak'],
    reads: 'qemu',
  },
  {
    name: 'data on the refcount table',
    kind: 'plain',
    damage: (image) => image.set(image.l2Entry(1), BigInt(image.refcountTableOffset) | COPIED),
    finds: ['refcount-too-low', 'leak'],
    reads: 'qemu',
  },
  {
    name: 'data behind the end of the file, in version 2',
    kind: 'version 2',
    damage: (image) => image.set(image.l2Entry(1), behind(image)),
    finds: ['past-end', 'leak'],
    reads: { zeroed: [1] },
  },
  {
    name: 'data that does not start at a cluster, and reaches one behind the file',
    kind: 'plain',
    damage: (image) => image.change(image.l2Entry(15), () => BigInt(image.bytes.length - 512) | COPIED),
    finds: ['cluster-unaligned'],
    reads: { zeroed: [15] },
  },
  {
    name: 'a preallocated cluster that does not start at a cluster',
    kind: 'plain',
    damage: (image) => image.change(image.l2Entry(1), (entry) => entry | 513n),
    finds: ['cluster-unaligned'],
    reads: { zeroed: [1] },
  },
  {
    name: 'an L2 table that does not start at a cluster',
    kind: 'plain',
    damage: (image) => image.change(image.l1Entry(0), (entry) => entry | 512n),
    finds: ['l2-table-unaligned', 'leak'],
    unlike: { why: 'QEMU reads entries where no table can be', corruptions: 1, leaks: 17 },
    reads: { zeroed: [...Array(160).keys()] },
  },
  {
    name: 'a refcount block that does not start at a cluster, and flags that it would contradict',
    kind: 'plain',
    damage: (image) => {
      image.change(image.refcountTableEntry(0), (entry) => entry | 512n);
      image.set(image.l2Entry(1), behind(image) | COPIED);
    },
    finds: ['refcount-block-unaligned', 'past-end'],
    reads: { zeroed: [1] },
  },
  {
    name: 'a refcount block past all measure, and two guest clusters in one',
    kind: 'refcounts of 1 bit',
    damage: (image) => {
      image.change(image.refcountTableEntry(0), (entry) => entry | (1n << 63n));
      image.set(image.l2Entry(1), image.get(image.l2Entry(0)));
    },
    finds: ['refcount-unreadable', 'refcount-overflow'],
    reads: 'qemu',
    left: { why: 'a refcount of 1 bit cannot say 2', corruptions: 1, leaks: 0 },
  },
  {
    name: 'an L1 entry with COPIED and nothing else',
    kind: 'clusters of 512 bytes',
    damage: (image) => image.set(image.l1Entry(5), COPIED),
    finds: ['l2-table-nowhere'],
    unlike: {
      why: 'QEMU takes the header for an L2 table and counts all that it misreads there',
      corruptions: 1,
      leaks: 0,
    },
  },
  {
    name: 'trap 16: COPIED on a compressed cluster',
    kind: 'plain',
    damage: (image) => image.change(image.l2Entry(80), (entry) => entry | COPIED),
    finds: ['compressed-copied'],
  },
  {
    name: 'a compressed cluster behind the end of the file',
    kind: 'plain',
    damage: (image) => image.change(image.l2Entry(80), (entry) => entry | (1n << 40n)),
    finds: ['past-end', 'leak'],
    reads: { zeroed: [80] },
  },
  {
    name: 'trap 16: a compressed cluster that reaches into free clusters',
    kind: 'plain',
    damage: (image) => {
      spare(image);
      spare(image);
      image.change(image.l2Entry(80), (entry) => entry | (130n << 54n));
    },
    finds: ['refcount-too-low'],
  },
  {
    name: 'a compressed cluster with subclusters',
    kind: 'subclusters',
    damage: (image) => image.set(image.l2Entry(80) + 8, 5n),
    finds: ['compressed-subclusters', 'leak'],
  },
  {
    name: 'trap 15: a subcluster that is allocated and zero',
    kind: 'subclusters',
    damage: (image) => image.change(image.l2Entry(1) + 8, () => 0xffff_ffff_ffff_ffffn),
    finds: ['subclusters-contradict'],
    reads: { zeroed: [1] },
  },
  {
    name: 'trap 15: subclusters that are allocated nowhere',
    kind: 'subclusters',
    damage: (image) => image.set(image.l2Entry(40) + 8, 5n),
    finds: ['subclusters-nowhere'],
    reads: 'as before',
  },
  {
    name: "trap 31: a snapshot's L1 table that does not start at a cluster",
    kind: 'snapshots',
    damage: (image) => image.change(image.snapshotsOffset, (offset) => offset | 512n),
    finds: ['snapshot-l1-unaligned', 'leak'],
    left: { why: 'what looks leaked may be what the snapshot is made of', corruptions: 1, leaks: 20 },
  },
  {
    name: "a snapshot's L1 table behind the end of the file",
    kind: 'snapshots',
    damage: (image) => image.set(image.snapshotsOffset, behind(image)),
    finds: ['past-end', 'leak'],
    left: { why: 'what looks leaked may be what the snapshot is made of', corruptions: 1, leaks: 20 },
  },
  {
    name: "a snapshot's L1 table past all measure",
    kind: 'snapshots',
    damage: (image) => image.bytes.writeUInt32BE(0x7fff_ffff, image.snapshotsOffset + 8),
    finds: ['snapshot-l1-too-large', 'leak'],
    left: { why: 'what looks leaked may be what the snapshot is made of', corruptions: 1, leaks: 20 },
  },
  {
    name: 'a snapshot that shares the active L1 table',
    kind: 'snapshots',
    damage: (image) => image.set(image.snapshotsOffset, BigInt(image.l1Offset)),
    finds: ['refcount-too-low', 'leak'],
  },
  {
    name: 'trap 31: an entry without extra data behind the snapshots',
    kind: 'snapshots',
    damage: (image) => image.bytes.writeUInt32BE(3, 60),
    finds: ['snapshot-incomplete'],
    left: { why: 'a new snapshot table is for who knows what is in it', corruptions: 1, leaks: 0 },
  },
  {
    name: 'a snapshot table that cannot be read',
    kind: 'snapshots',
    damage: (image) => image.bytes.writeUInt32BE(5000, image.snapshotsOffset + 36),
    finds: ['snapshot-table-unreadable', 'leak'],
    unlike: { why: 'QEMU ends its check at such an entry', corruptions: 0, leaks: 24 },
    left: { why: 'what looks leaked may be what the snapshots are made of', corruptions: 0, leaks: 24 },
  },
  {
    name: 'reserved bits in a table that two disks share',
    kind: 'snapshots',
    damage: (image) => {
      const l1 = image.offset(image.snapshotsOffset);
      const other = image.offset(image.snapshotsOffset + 72);
      image.set(other, image.get(l1));
      image.change(Number(image.get(l1) & 0x00ff_ffff_ffff_fe00n) + 8, (entry) => entry | RESERVED_L2);
    },
    finds: ['l2-reserved-bits', 'refcount-too-low', 'leak'],
    reads: { zeroed: [] },
  },
  {
    name: 'trap 32: bitmaps without their autoclear bit',
    kind: 'bitmaps',
    damage: (image) => image.set(88, 0n),
    finds: ['leak'],
  },
  {
    name: 'the table of a bitmap behind the end of the file',
    kind: 'bitmaps',
    damage: (image) => image.set(image.offset(image.extension(0x23852875) + 16), behind(image)),
    finds: ['past-end', 'leak'],
    left: { why: 'the bitmap reads zeros there, as QEMU reads it', corruptions: 1, leaks: 2 },
  },
  {
    name: 'reserved bits in the table of a bitmap',
    kind: 'bitmaps',
    damage: (image) =>
      image.change(image.offset(image.offset(image.extension(0x23852875) + 16)), (e) => e | 6n),
    finds: ['bitmap-table-entry-invalid', 'leak'],
    unlike: { why: REFUSES, corruptions: 1, leaks: 1 },
  },
  {
    name: 'a bitmap of an unknown type',
    kind: 'bitmaps',
    damage: (image) => {
      image.bytes[image.offset(image.extension(0x23852875) + 16) + 16] = 7;
    },
    finds: ['bitmap-directory-invalid', 'leak'],
    unlike: { why: REFUSES, corruptions: 1, leaks: 4 },
  },
];
