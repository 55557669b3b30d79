import { type Disk, sliceDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { openExt } from './ext/open-ext.ts';
import type { FileSystemKind } from './file-system-kind.ts';
import type { FileTree } from './file-tree.ts';
import type { Identity } from './identify.ts';
import type { Partition } from './partitions/partition.ts';

/** A part of a disk that holds a file system, or anything else: a partition, or the whole disk. */
export class GuestVolume {
  /** As Linux counts partitions; 0: the whole disk. */
  readonly number: number;
  /** Bytes from the start of the disk. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** What the partition table says; null for the whole disk. */
  readonly partition: Partition | null;
  /** What it holds, as its magic numbers say; null: nothing that is known. */
  readonly kind: FileSystemKind | null;
  readonly label: string | null;
  readonly uuid: string | null;
  readonly #disk: Disk;

  constructor(disk: Disk, partition: Partition | null, { kind, label, uuid }: Identity) {
    this.#disk = disk;
    this.number = partition?.number ?? 0;
    this.offset = partition?.offset ?? 0;
    this.size = partition?.size ?? disk.size;
    this.partition = partition;
    this.kind = kind;
    this.label = label;
    this.uuid = uuid;
  }

  /** Whether its files can be read. */
  get isReadable(): boolean {
    return this.kind !== null && OPENERS[this.kind] !== undefined;
  }

  /**
   * Opens its file system for reading. Closing the tree leaves the disk open.
   * @throws CalveError `unsupported` by name when it is none that is read here; what opening the file system throws
   */
  async open(): Promise<FileTree> {
    const opener = this.kind === null ? undefined : OPENERS[this.kind];
    if (opener === undefined) {
      throw new CalveError('unsupported', `${this.describe()}: its files cannot be read`, {
        data: { partition: this.number, kind: this.kind },
      });
    }
    return opener(sliceDisk(this.#disk, this.offset, this.size, { leaveOpen: true }), this.offset);
  }

  /** In words: `partition 2 (ext4, root)`. */
  describe(): string {
    const where = this.number === 0 ? 'the whole disk' : `partition ${this.number}`;
    const label = this.label ?? this.partition?.name ?? null;
    return `${where} (${this.kind ?? 'nothing that is known'}${label === null ? '' : `, ${JSON.stringify(label)}`})`;
  }
}

/** What opens each kind of file system that is read here. */
const OPENERS: Partial<Record<FileSystemKind, (disk: Disk, diskOffset: number) => Promise<FileTree>>> = {
  ext2: openExt,
  ext3: openExt,
  ext4: openExt,
};
