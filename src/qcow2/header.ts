import { CalveError } from '../errors/index.ts';
import { COMPRESSION_TYPE_OFFSET, COMPRESSION_TYPES, CRYPT_METHODS, EXTENSION, MAGIC } from './constants.ts';
import { decodeFeatureNames, encodeFeatureNames } from './feature-names.ts';
import { decodeExtensions, encodeExtensions, type HeaderExtension } from './header-extensions.ts';
import { decodeHeaderFields, encodeHeaderFields, type HeaderFields } from './header-fields.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import { refuseUnknownFeatures, validateHeaderFields } from './validate-header.ts';

/**
 * The header of an image, from the bytes of its first cluster: taken apart, validated, and only then used.
 *
 * @param bytes the first cluster, or the whole file where that is shorter; more does not matter
 * @throws CalveError `invalid` or `unsupported`, naming the field and its value
 */
export function decodeHeader(bytes: Uint8Array): Qcow2Header {
  const fields = decodeHeaderFields(bytes);
  const { extensionsEnd, ...header } = validateHeaderFields(fields, bytes);
  const extensions = decodeExtensions(bytes.subarray(header.headerLength, extensionsEnd));
  const backingFormat = dataOf(extensions, EXTENSION.backingFormat);
  const featureNames = decodeFeatureNames(dataOf(extensions, EXTENSION.featureNames) ?? new Uint8Array());
  refuseUnknownFeatures(header.incompatible, featureNames);
  return {
    ...header,
    ...(backingFormat === undefined ? {} : { backingFormat: Buffer.from(backingFormat).toString('utf8') }),
    extensions: extensions.filter(
      ({ type }) => type !== EXTENSION.backingFormat && type !== EXTENSION.featureNames,
    ),
    featureNames,
    additionalFields: new Uint8Array(bytes.subarray(COMPRESSION_TYPE_OFFSET + 1, header.headerLength)),
  };
}

/**
 * The used bytes of an image's first cluster; zeros follow. The backing file's name comes last.
 * @throws CalveError `invalid` when they do not fit in a cluster
 */
export function encodeHeader(header: Qcow2Header): Uint8Array {
  const isAhead = ({ type }: HeaderExtension) => type === EXTENSION.dataFile || type === EXTENSION.encryption;
  // The order is QEMU's.
  const extensions = encodeExtensions([
    ...(header.backingFormat === undefined
      ? []
      : [{ type: EXTENSION.backingFormat, data: Buffer.from(header.backingFormat) }]),
    ...header.extensions.filter(isAhead),
    ...(header.featureNames.length === 0
      ? []
      : [{ type: EXTENSION.featureNames, data: encodeFeatureNames(header.featureNames) }]),
    ...header.extensions.filter((extension) => !isAhead(extension)),
  ]);
  const backingFile = Buffer.from(header.backingFile ?? '');
  const backingFileOffset = header.headerLength + extensions.length;
  const length = backingFileOffset + backingFile.length;
  if (length > header.clusterSize) {
    throw new CalveError('invalid', `header: expected at most ${header.clusterSize} bytes, got ${length}`);
  }
  const bytes = Buffer.alloc(length);
  bytes.set(encodeHeaderFields(fieldsOf(header, backingFile.length > 0 ? backingFileOffset : 0)));
  if (header.headerLength > COMPRESSION_TYPE_OFFSET) {
    bytes[COMPRESSION_TYPE_OFFSET] = COMPRESSION_TYPES.indexOf(header.compressionType);
    bytes.set(header.additionalFields, COMPRESSION_TYPE_OFFSET + 1);
  }
  bytes.set(extensions, header.headerLength);
  bytes.set(backingFile, backingFileOffset);
  return bytes;
}

function fieldsOf(header: Qcow2Header, backingFileOffset: number): HeaderFields {
  return {
    magic: MAGIC,
    version: header.version,
    backingFileOffset: BigInt(backingFileOffset),
    backingFileSize: backingFileOffset === 0 ? 0 : Buffer.byteLength(header.backingFile ?? ''),
    clusterBits: header.clusterBits,
    size: BigInt(header.size),
    cryptMethod: CRYPT_METHODS.indexOf(header.cryptMethod),
    l1Size: header.l1Size,
    l1Offset: BigInt(header.l1Offset),
    refcountTableOffset: BigInt(header.refcountTableOffset),
    refcountTableClusters: header.refcountTableClusters,
    snapshotCount: header.snapshotCount,
    snapshotsOffset: BigInt(header.snapshotsOffset),
    incompatible: header.incompatible,
    compatible: header.compatible,
    autoclear: header.autoclear,
    refcountOrder: Math.log2(header.refcountBits),
    headerLength: header.headerLength,
  };
}

function dataOf(extensions: readonly HeaderExtension[], type: number): Uint8Array | undefined {
  return extensions.find((extension) => extension.type === type)?.data;
}
