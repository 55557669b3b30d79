import type { Disk, Extent } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { BitmapList } from '../bitmaps/bitmap-list.ts';
import type { CacheBudget } from '../bounded-cache.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import { ClusterMap } from '../mapping/cluster-map.ts';
import { ClusterReader } from '../mapping/cluster-reader.ts';
import type { GuestData } from '../mapping/guest-data.ts';
import { L2Tables } from '../mapping/l2-tables.ts';
import type { UnpackedClusters } from '../unpacked/unpacked-clusters.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { findSnapshot } from './find-snapshot.ts';
import { readSnapshotL1 } from './read-snapshot-l1.ts';
import type { Snapshot } from './snapshot.ts';
import { SnapshotDisk } from './snapshot-disk.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';
import type { CreateSnapshotOptions } from './snapshot-labels.ts';
import type { SnapshotTable } from './snapshot-table.ts';

/** What the snapshots of an open image are read through. */
export interface SnapshotsParts {
  readonly file: ImageFile;
  readonly header: ImageHeader;
  readonly table: SnapshotTable;
  readonly bitmaps: BitmapList;
  readonly data: GuestData;
  /** The active disk's. */
  readonly map: ClusterMap;
  readonly backing: Disk | null;
  readonly tables: CacheBudget;
  /** Unpacked clusters: a host cluster that two disks share is unpacked once. */
  readonly unpacked: UnpackedClusters;
}

/**
 * The internal snapshots of an open image. Who changes them sees to it that nothing else changes the image meanwhile. What
 * changes them is loaded then.
 */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  /** Views that are open. */
  readonly #views = new Map<SnapshotDisk, SnapshotEntry>();
  /** Snapshots of which views are being opened, each as often as it is. */
  readonly #opening: SnapshotEntry[] = [];
  #closed = false;

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
  }

  async list(): Promise<readonly Snapshot[]> {
    const entries = await this.#parts.table.entries();
    return entries.map((entry) => this.#describe(entry));
  }

  async create(writer: ImageWriter, options: CreateSnapshotOptions): Promise<Snapshot> {
    this.#refuseDataFile();
    const { createSnapshot } = await import('./create-snapshot.ts');
    return this.#describe(await createSnapshot(writer, this.#parts.table, options));
  }

  async apply(writer: ImageWriter, idOrName: string): Promise<void> {
    this.#refuseBitmaps();
    const { applySnapshot } = await import('./apply-snapshot.ts');
    await applySnapshot(writer, await this.#find(idOrName));
  }

  async delete(writer: ImageWriter, idOrName: string): Promise<void> {
    const entry = await this.#find(idOrName, 'name');
    const { path } = this.#parts.file;
    if (this.#opening.includes(entry) || [...this.#views.values()].includes(entry)) {
      throw new CalveError('in-use', `${path}: snapshot ${JSON.stringify(entry.name)} is being read`, {
        hint: 'close the disks that openSnapshot returned',
        data: { path, snapshot: entry.id },
      });
    }
    const { deleteSnapshot } = await import('./delete-snapshot.ts');
    await deleteSnapshot(writer, this.#parts.table, entry);
  }

  /** A view of a snapshot. It must not be opened while snapshots change. */
  async open(idOrName: string): Promise<Disk> {
    const { file, header, data, backing, unpacked } = this.#parts;
    const entry = await this.#find(idOrName);
    this.#opening.push(entry);
    try {
      const { view, l2 } = await this.#mapOf(entry);
      const { compressionType } = header.current;
      const disk = new SnapshotDisk({
        what: `${file.path}: snapshot ${JSON.stringify(entry.name)}`,
        map: view,
        reader: new ClusterReader({ file, data, map: view, backing, compressionType, unpacked }),
        backing,
        release: () => {
          l2.forget();
          this.#views.delete(disk);
        },
      });
      this.#views.set(disk, entry);
      return disk;
    } finally {
      this.#opening.splice(this.#opening.indexOf(entry), 1);
    }
  }

  /** The extents of a state in which it may differ from a snapshot: of another snapshot, or the disk as it is now. */
  async *changes(from: string, to: string | undefined): AsyncGenerator<Extent> {
    const { map, backing } = this.#parts;
    const { changedExtents } = await import('./changed-extents.ts');
    const before = await this.#mapOf(await this.#find(from));
    const after = to === undefined ? undefined : await this.#mapOf(await this.#find(to));
    try {
      yield* changedExtents(before.view, after?.view ?? map, backing);
    } finally {
      before.l2.forget();
      after?.l2.forget();
    }
  }

  /** Closes the views that are open still. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const view of [...this.#views.keys()]) await view.close();
  }

  /** A snapshot's map, and its tables, to be forgotten when it is no longer needed. */
  async #mapOf(entry: SnapshotEntry): Promise<{ readonly view: ClusterMap; readonly l2: L2Tables }> {
    const { file, map, tables } = this.#parts;
    const { size, l1 } = await readSnapshotL1(file, entry, map.geometry);
    if (this.#closed) throw new CalveError('closed', `${file.path} was closed before`);
    const geometry = { ...map.geometry, size };
    const l2 = new L2Tables(file, l1, geometry, tables);
    return { view: new ClusterMap(file.path, geometry, l1, l2), l2 };
  }

  async #find(idOrName: string, first?: 'name'): Promise<SnapshotEntry> {
    this.#refuseDataFile();
    return findSnapshot(this.#parts.file.path, await this.#parts.table.entries(), idOrName, first);
  }

  /** Trap 22: a snapshot of the tables alone would not keep what a data file holds. */
  #refuseDataFile(): void {
    const { path } = this.#parts.file;
    if (!this.#parts.header.current.incompatible.has('external data file')) return;
    throw new CalveError('unsupported', `${path}: no internal snapshots with an external data file`, {
      hint: `qemu-img create -f qcow2 -b ${path} -F qcow2 OVERLAY`,
      data: { path, feature: 'external data file' },
    });
  }

  /** As QEMU: what a bitmap says of the disk would be wrong of another one. */
  #refuseBitmaps(): void {
    const [first] = this.#parts.bitmaps.infos();
    if (!first) return;
    const { path } = this.#parts.file;
    throw new CalveError('unsupported', `${path}: no snapshot is applied to a disk with bitmaps`, {
      hint: `qemu-img bitmap --remove ${path} ${JSON.stringify(first.name)}`,
      data: { path, feature: 'bitmaps' },
    });
  }

  #describe({ l1: _, bytes: __, diskSize, ...entry }: SnapshotEntry): Snapshot {
    return { ...entry, diskSize: diskSize ?? this.#parts.map.geometry.size };
  }
}
