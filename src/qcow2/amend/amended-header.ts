/** What an amendment makes of a header: pure, from one to the next. */
import {
  EXTENSION,
  HEADER_LENGTH_COMPRESSION_TYPE,
  HEADER_LENGTH_V2,
  MIN_CLUSTER_SIZE_FEATURE_NAMES,
} from '../constants.ts';
import { FEATURE_NAMES } from '../feature-names.ts';
import type { HeaderExtension } from '../header-extensions.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { Amendment } from './amend-options.ts';

/** The header in version 3, as QEMU writes it. */
export function upgradedHeader(header: Qcow2Header): Qcow2Header {
  return {
    ...header,
    version: 3,
    headerLength: HEADER_LENGTH_COMPRESSION_TYPE,
    featureNames: header.clusterSize >= MIN_CLUSTER_SIZE_FEATURE_NAMES ? FEATURE_NAMES : [],
  };
}

/** The header in version 2, which has room for none of the later fields. Extensions stay. */
export function downgradedHeader(header: Qcow2Header): Qcow2Header {
  return {
    ...header,
    version: 2,
    headerLength: HEADER_LENGTH_V2,
    incompatible: new Set(),
    compatible: new Set(),
    autoclear: new Set(),
    compressionType: 'zlib',
    featureNames: [],
    additionalFields: new Uint8Array(),
  };
}

/** The header with the names and flags that an amendment asks for. */
export function amendedHeader(header: Qcow2Header, amendment: Amendment): Qcow2Header {
  const { lazyRefcounts, dataFileRaw, dataFile, backingFile, backingFormat } = amendment;
  const { backingFile: oldFile, backingFormat: oldFormat, ...others } = header;
  const file = backingFile === undefined ? oldFile : (backingFile ?? undefined);
  const format = backingFile === null ? undefined : (backingFormat ?? oldFormat);
  return {
    ...others,
    ...(file === undefined ? {} : { backingFile: file }),
    ...(format === undefined ? {} : { backingFormat: format }),
    compatible: toggled(header.compatible, 'lazy refcounts', lazyRefcounts),
    autoclear: toggled(header.autoclear, 'raw external data', dataFileRaw),
    extensions: dataFile === undefined ? header.extensions : withDataFile(header.extensions, dataFile),
  };
}

/** Whether an amendment asks for names or flags that the header does not have. */
export function changesHeader(header: Qcow2Header, amendment: Amendment): boolean {
  const next = amendedHeader(header, amendment);
  const sameFlags =
    next.compatible.size === header.compatible.size && next.autoclear.size === header.autoclear.size;
  const sameNames =
    next.backingFile === header.backingFile &&
    next.backingFormat === header.backingFormat &&
    dataFileOf(next) === dataFileOf(header);
  return !sameFlags || !sameNames;
}

function dataFileOf({ extensions }: Qcow2Header): string | undefined {
  const data = extensions.find(({ type }) => type === EXTENSION.dataFile)?.data;
  return data === undefined ? undefined : Buffer.from(data).toString();
}

function withDataFile(extensions: readonly HeaderExtension[], name: string | null): HeaderExtension[] {
  const others = extensions.filter(({ type }) => type !== EXTENSION.dataFile);
  return name === null ? others : [{ type: EXTENSION.dataFile, data: Buffer.from(name) }, ...others];
}

function toggled<Feature>(
  features: ReadonlySet<Feature>,
  feature: Feature,
  on: boolean | undefined,
): ReadonlySet<Feature> {
  if (on === undefined || on === features.has(feature)) return features;
  return new Set(on ? [...features, feature] : [...features].filter((one) => one !== feature));
}
