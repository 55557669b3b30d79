import {
  EXTENSION,
  HEADER_LENGTH_COMPRESSION_TYPE,
  HEADER_LENGTH_V2,
  MIN_CLUSTER_SIZE_FEATURE_NAMES,
} from '../constants.ts';
import { encryptionExtension } from '../encryption/index.ts';
import { FEATURE_NAMES } from '../feature-names.ts';
import { encodeHeader } from '../header.ts';
import type { HeaderExtension } from '../header-extensions.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { ImageLayout } from './image-layout.ts';
import type { SettledOptions } from './image-options.ts';

/**
 * The first bytes of a new image.
 * @param luksLength bytes of the LUKS header with its key material; 0 when there is none
 * @throws CalveError `invalid` when the names in it do not fit into a cluster
 */
export function newHeader(options: SettledOptions, layout: ImageLayout, luksLength: number): Uint8Array {
  const { version, clusterSize, compressionType, backingFile, backingFormat } = options;
  return encodeHeader({
    version,
    size: options.size,
    clusterBits: Math.log2(clusterSize),
    clusterSize,
    l1Size: options.l1Size,
    l1Offset: layout.l1Offset,
    refcountTableOffset: clusterSize,
    refcountTableClusters: layout.refcountTableClusters,
    refcountBits: options.refcountBits,
    snapshotCount: 0,
    snapshotsOffset: 0,
    cryptMethod: options.encryption ?? 'none',
    ...featuresOf(options),
    headerLength: version === 2 ? HEADER_LENGTH_V2 : HEADER_LENGTH_COMPRESSION_TYPE,
    compressionType,
    ...(backingFile === undefined ? {} : { backingFile }),
    ...(backingFormat === undefined ? {} : { backingFormat }),
    extensions: extensionsOf(options, layout, luksLength),
    featureNames: version === 3 && clusterSize >= MIN_CLUSTER_SIZE_FEATURE_NAMES ? FEATURE_NAMES : [],
    additionalFields: new Uint8Array(),
  });
}

function featuresOf(options: SettledOptions): Pick<Qcow2Header, 'incompatible' | 'compatible' | 'autoclear'> {
  return {
    incompatible: new Set([
      ...(options.dataFile === undefined ? [] : (['external data file'] as const)),
      ...(options.compressionType === 'zlib' ? [] : (['compression type'] as const)),
      ...(options.extendedL2 ? (['extended L2 entries'] as const) : []),
    ]),
    compatible: new Set(options.lazyRefcounts ? ['lazy refcounts'] : []),
    autoclear: new Set(options.dataFileRaw ? ['raw external data'] : []),
  };
}

function extensionsOf(options: SettledOptions, layout: ImageLayout, luksLength: number): HeaderExtension[] {
  const { dataFile } = options;
  return [
    ...(dataFile === undefined ? [] : [{ type: EXTENSION.dataFile, data: Buffer.from(dataFile) }]),
    ...(luksLength > 0 ? [encryptionExtension({ offset: layout.luksOffset, length: luksLength })] : []),
  ];
}
