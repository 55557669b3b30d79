import type { Disk } from '../disk/index.ts';
import { BoundedCache } from './bounded-cache.ts';
import type { Chain } from './chain.ts';
import { type EncryptionOptions, openEncryption } from './encryption/index.ts';
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
import { openWriter } from './writing/open-writer.ts';

/** How the image in a file that is open already is opened. */
export interface OpenImageOptions {
  readonly writable: boolean;
  readonly chain: Chain;
  readonly encryption?: EncryptionOptions;
  /** Called once the header is found to be right. */
  readonly openBacking: (header: Qcow2Header) => Promise<Disk | null>;
}

/**
 * Opens the image in a file. The file is closed with the disk; after an error the caller closes it.
 * @throws CalveError as `openQcow2`
 */
export async function openImage(storage: ImageStorage, options: OpenImageOptions): Promise<Qcow2Disk> {
  const { writable, chain } = options;
  const header = await readHeader(storage);
  refuseUnsupported(header, storage.path, writable);
  const file = new ImageFile(storage);
  const liveHeader = new ImageHeader(file, header);
  const geometry = geometryOf(header);
  const l1 = await readL1Table(file, header);
  const cipher = await openEncryption(file, header, options.encryption ?? {});
  const data = guestData(file, cipher);
  const backing = await options.openBacking(header);
  try {
    const { budgets } = chain;
    const l2 = new L2Tables(file, l1, geometry, budgets.tables);
    const map = new ClusterMap(storage.path, geometry, l1, l2);
    const { compressionType } = header;
    const unpacked = new BoundedCache<Uint8Array>(budgets.clusters, header.clusterSize);
    const reader = new ClusterReader({ file, data, map, backing, compressionType, unpacked });
    const image = { file, data, header: liveHeader, l1, l2, map, reader, budgets };
    const writer = writable ? await openWriter(image) : undefined;
    const release = async () => {
      // The budget may live on, with the rest of the chain.
      l2.forget();
      unpacked.clear();
      writer?.forget();
      cipher?.[Symbol.dispose]();
      try {
        await backing?.close();
      } finally {
        await file.close();
      }
    };
    const warnings = warningsOf(header, storage.path);
    return new Qcow2Disk({ file, header: liveHeader, map, reader, writer, backing, warnings, release });
  } catch (error) {
    cipher?.[Symbol.dispose]();
    await backing?.close();
    throw error;
  }
}
