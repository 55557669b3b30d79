import { type Disk, sliceDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { openExt } from './ext/open-ext.ts';
import { openFat } from './fat/open-fat.ts';
import type { FileSystemKind } from './file-system-kind.ts';
import type { DiskRange, FileTree } from './file-tree.ts';
import type { Identity } from './identify.ts';
import { openIso } from './iso/open-iso.ts';
import { isReadThroughLibguestfs, openThroughLibguestfs } from './libguestfs/open-through-libguestfs.ts';
import type { SharedAppliance } from './libguestfs/shared-appliance.ts';
import type { LogicalVolume } from './lvm/logical-volume.ts';
import { SegmentedDisk } from './lvm/segmented-disk.ts';
import type { Partition } from './partitions/partition.ts';

/** What a volume may have beside a place on a disk. */
export interface VolumeParts {
  /** What reads its file system where that is not done here. */
  readonly appliance?: SharedAppliance;
  /** It is one, in the physical volume that the partition is. */
  readonly logicalVolume?: LogicalVolume;
  /** Why what it is divided into cannot be told. */
  readonly trouble?: CalveError;
}

/** How a file system is opened. */
export interface OpenVolumeOptions {
  /** Ends what has to be started for it, also later, while it is open. */
  readonly signal?: AbortSignal | undefined;
  /** Called before something is started for it that takes seconds. */
  readonly onStart?: (() => void) | undefined;
}

/** A part of a disk that holds a file system, or anything else: a partition, the whole disk, or a logical volume of LVM. */
export class GuestVolume {
  /** As Linux counts partitions; 0: the whole disk. Of a logical volume that of the physical one that it begins in. */
  readonly number: number;
  /** What it is called to tell it from the others of its disk: its number, or `GROUP/NAME` of a logical volume. */
  readonly name: string;
  /** Bytes from the start of the disk to its first one. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Where it lies on the disk, in order. Empty where that is not known, of some logical volumes. */
  readonly ranges: readonly DiskRange[];
  /** What the partition table says; null for the whole disk, and for a logical volume. */
  readonly partition: Partition | null;
  /** What it holds, as its magic numbers say; null: nothing that is known. */
  readonly kind: FileSystemKind | null;
  readonly label: string | null;
  readonly uuid: string | null;
  readonly isLogical: boolean;
  readonly #disk: Disk;
  readonly #parts: VolumeParts;
  /** Its number in the appliance; undefined: not there. */
  readonly #part: number | undefined;

  constructor(
    disk: Disk,
    partition: Partition | null,
    { kind, label, uuid }: Identity,
    parts: VolumeParts = {},
  ) {
    const { logicalVolume, appliance } = parts;
    this.#disk = disk;
    this.#parts = parts;
    this.number = partition?.number ?? 0;
    this.name = logicalVolume?.name ?? String(this.number);
    this.isLogical = logicalVolume !== undefined;
    const whole = { offset: partition?.offset ?? 0, length: partition?.size ?? disk.size };
    const ranges = logicalVolume === undefined ? [whole] : logicalVolume.ranges;
    this.ranges = typeof ranges === 'string' ? [] : ranges;
    this.offset = this.ranges[0]?.offset ?? whole.offset;
    this.size = logicalVolume?.size ?? whole.length;
    this.partition = this.isLogical ? null : partition;
    this.kind = kind;
    this.label = label;
    this.uuid = uuid;
    this.#part = this.isReadable && !this.isReadHere ? appliance?.add(this.content()) : undefined;
  }

  /** Whether its files can be read, be it through libguestfs where that is installed. */
  get isReadable(): boolean {
    if (this.kind === null) return false;
    return this.#opener !== undefined || isReadThroughLibguestfs(this.kind);
  }

  /** Whether its files are read by calve itself. */
  get isReadHere(): boolean {
    return this.#opener !== undefined && !this.isInPieces;
  }

  /** Its bytes, in order, for reading. Closing it leaves the disk open. */
  content(): Disk {
    const [only, ...more] = this.ranges;
    if (only !== undefined && more.length === 0) {
      return sliceDisk(this.#disk, only.offset, only.length, { leaveOpen: true });
    }
    return new SegmentedDisk(this.#disk, this.ranges);
  }

  /**
   * Opens its file system for reading. Closing the tree leaves the disk open.
   * @throws CalveError `unsupported` by name when it is none that is read here, or one that libguestfs reads and that is not
   *   installed; what opening the file system throws; `aborted`
   */
  async open(options: OpenVolumeOptions = {}): Promise<FileTree> {
    const opener = this.#opener;
    if (opener !== undefined && this.isReadHere) return opener(this.content(), this.offset);
    const { appliance } = this.#parts;
    if (this.#part === undefined || appliance === undefined || this.kind === null) throw this.#unreadable();
    return openThroughLibguestfs(appliance, this.#part, this.kind, options);
  }

  /** In words: `partition 2 (ext4, "root")`. */
  describe(): string {
    const label = this.label ?? this.partition?.name ?? null;
    return `${this.#where()} (${this.kind ?? 'nothing that is known'}${label === null ? '' : `, ${JSON.stringify(label)}`})`;
  }

  /** Where its pieces lie is told of no file in it: those who compare disks ask for that. */
  get isInPieces(): boolean {
    return this.ranges.length > 1;
  }

  get #opener(): Opener | undefined {
    return this.kind === null ? undefined : OPENERS[this.kind];
  }

  #where(): string {
    if (this.isLogical) return `logical volume ${this.name}`;
    return this.number === 0 ? 'the whole disk' : `partition ${this.number}`;
  }

  #unreadable(): CalveError {
    const { trouble, logicalVolume } = this.#parts;
    const known = this.kind === null ? undefined : WHY_NOT[this.kind];
    const [reason, hint] = typeof logicalVolume?.ranges === 'string' ? [logicalVolume.ranges] : (known ?? []);
    const said = trouble?.message ?? reason;
    return new CalveError(
      'unsupported',
      `${this.describe()}: its files cannot be read${said === undefined ? '' : `: ${said}`}`,
      {
        ...(hint === undefined ? {} : { hint }),
        ...(trouble === undefined ? {} : { cause: trouble }),
        data: { partition: this.number, kind: this.kind },
      },
    );
  }
}

type Opener = (disk: Disk, diskOffset: number) => Promise<FileTree>;

/** What opens each kind of file system that is read here. */
const OPENERS: Partial<Record<FileSystemKind, Opener>> = {
  ext2: openExt,
  ext3: openExt,
  ext4: openExt,
  fat: openFat,
  iso9660: openIso,
};

/** Why some are not, and what to do. */
const WHY_NOT: Partial<Record<FileSystemKind, readonly [reason: string, hint?: string]>> = {
  luks: ['it is encrypted, and calve asks for no passphrase', 'start the guest, and look there'],
  lvm: ['what has files is its logical volumes', 'name one as -p GROUP/NAME'],
};
