import type { Disk } from '../disk/index.ts';
import { readBitmapList } from './bitmaps/read-bitmap-list.ts';
import type { Chain } from './chain.ts';
import { dataFileName } from './data-file-name.ts';
import { type DataFilePolicy, denyDataFile } from './data-file-policy.ts';
import { type EncryptionOptions, lockedCipher, openEncryption } from './encryption/index.ts';
import { geometryOf } from './geometry.ts';
import { ImageFile } from './image-file.ts';
import { ImageHeader } from './image-header.ts';
import type { ImageStorage } from './image-storage.ts';
import { ClusterMap } from './mapping/cluster-map.ts';
import { ClusterReader } from './mapping/cluster-reader.ts';
import { guestData } from './mapping/guest-data.ts';
import { readL1Table } from './mapping/l1-table.ts';
import { L2Tables } from './mapping/l2-tables.ts';
import { Qcow2Disk } from './qcow2-disk.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import { readHeader } from './read-header.ts';
import { refuseUnsupported, warningsOf } from './refuse-unsupported.ts';
import { SnapshotTable } from './snapshots/snapshot-table.ts';
import { Snapshots } from './snapshots/snapshots.ts';
import { UnpackedClusters } from './unpacked/unpacked-clusters.ts';
import type { DetectZeroes } from './writing/detect-zeroes.ts';
import type { ImageWriter } from './writing/image-writer.ts';
import type { OpenImage } from './writing/open-writer.ts';

/** How the image in a file that is open already is opened. */
export interface OpenImageOptions {
  readonly writable: boolean;
  readonly chain: Chain;
  readonly encryption?: EncryptionOptions;
  readonly detectZeroes?: DetectZeroes;
  /** Guest data is neither read nor written, so that an encrypted image needs no passphrase (default false). */
  readonly withoutData?: boolean;
  /** Called once the header is found to be right. */
  readonly openBacking: (header: Qcow2Header) => Promise<Disk | null>;
  /** Called for an image whose guest data lies in a file of its own (default `denyDataFile`). */
  readonly dataFile?: DataFilePolicy;
  /** Whether QEMU's image lock is wanted on a data file (default true). */
  readonly lock?: boolean;
}

/**
 * Opens the image in a file. The file is closed with the disk; after an error the caller closes it.
 * @throws CalveError as `openQcow2`
 */
export async function openImage(storage: ImageStorage, options: OpenImageOptions): Promise<Qcow2Disk> {
  const { writable, chain } = options;
  // At once, as its tables are read: a trip through the thread pool takes longer than all of the opening.
  const start = {
    path: storage.path,
    read: async (into: Uint8Array, offset: number) =>
      storage.readSync ? storage.readSync(into, offset) : storage.read(into, offset),
  };
  const found = await readHeader(start);
  refuseUnsupported(found, storage.path, writable);
  const file = new ImageFile(storage);
  const repairs = writable && found.incompatible.has('dirty') ? [await repair(file)] : [];
  const header = repairs.length > 0 ? await readHeader(start) : found;
  const liveHeader = new ImageHeader(file, header);
  const geometry = geometryOf(header);
  const l1 = await readL1Table(file, header);
  // What is taken from here on is given back in the reverse order, with the disk or when it does not come to be.
  await using taken = new AsyncDisposableStack();
  const dataFile = geometry.dataFile ? await openDataFile(storage, header, options) : undefined;
  if (dataFile) taken.defer(() => dataFile.close());
  const cipher = options.withoutData
    ? lockedCipher(header, storage.path)
    : await openEncryption(file, header, options.encryption ?? {});
  if (cipher) taken.use(cipher);
  const data = guestData(dataFile ?? file, cipher);
  const bitmaps = await readBitmapList(file, header);
  const backing = await options.openBacking(header);
  if (backing) taken.defer(() => backing.close());
  const { budgets } = chain;
  const l2 = new L2Tables(file, l1, geometry, budgets.tables);
  const map = new ClusterMap(storage.path, geometry, l1, l2);
  const { compressionType } = header;
  const unpacked = new UnpackedClusters(budgets.clusters, header.clusterSize, budgets.spill);
  taken.defer(() => unpacked.close());
  const reader = new ClusterReader({ file, data, map, backing, compressionType, unpacked });
  const { detectZeroes = 'off' } = options;
  const table = new SnapshotTable(file, liveHeader);
  const shared = { file, data, dataFile, l1, l2, map, reader, budgets };
  const image = { ...shared, header: liveHeader, snapshots: table, bitmaps, detectZeroes };
  const writer = writable ? await loadAndOpenWriter(image) : undefined;
  const { tables } = budgets;
  const snapshots = new Snapshots({
    file,
    header: liveHeader,
    table,
    bitmaps,
    data,
    map,
    backing,
    tables,
    unpacked,
  });
  const held = taken.move();
  const release = async () => {
    await snapshots.close();
    // The budget may live on, with the rest of the chain.
    l2.forget();
    writer?.forget();
    try {
      await held.disposeAsync();
    } finally {
      await file.close();
    }
  };
  const warnings = [...repairs, ...warningsOf(header, storage.path)];
  const sides = { map, reader, snapshots, writer, bitmaps, backing };
  return new Qcow2Disk({ ...sides, file, header: liveHeader, warnings, release });
}

/** Neither a repair nor a writer is loaded for an image that is read. */
async function repair(file: ImageFile): Promise<string> {
  const { repairOnOpen } = await import('./repair-on-open.ts');
  return repairOnOpen(file);
}

async function loadAndOpenWriter(image: OpenImage): Promise<ImageWriter> {
  const { openWriter } = await import('./writing/open-writer.ts');
  return openWriter(image);
}

async function openDataFile(
  { path }: ImageStorage,
  header: Qcow2Header,
  { dataFile: open = denyDataFile, writable, lock = true, chain }: OpenImageOptions,
): Promise<ImageFile> {
  const { ancestors } = chain;
  return new ImageFile(
    await open({ imagePath: path, dataFile: dataFileName(header), writable, lock, ancestors }),
  );
}
