import { deflateRawSync, constants as zlib, zstdCompressSync } from 'node:zlib';
import { CalveError } from '../../errors/index.ts';
import { type Libzstd, libzstdIfAny } from '../../host/index.ts';
import { releaseOutput } from './release-output.ts';

/** How clusters are compressed. */
export interface Codec {
  readonly compression: 'zstd' | 'deflate';
  /** zstd 1 to 22, deflate 1 to 9. */
  readonly level: number;
  /** Bytes. */
  readonly clusterSize: number;
}

/** What is used when nobody says otherwise; deflate's is that of QEMU. */
export const DEFAULT_LEVEL: Readonly<Record<Codec['compression'], number>> = { zstd: 3, deflate: 6 };

const HIGHEST_LEVEL = { zstd: 22, deflate: 9 };
/** QEMU's window and memory level; it unpacks with a window of 12 bits, so that is the widest one allowed. */
const DEFLATE = { windowBits: 12, memLevel: 9 };
/** A cluster is one frame whose length is known, and a layer's digest stands over all of it. */
const ZSTD = { [zlib.ZSTD_c_checksumFlag]: 0, [zlib.ZSTD_c_contentSizeFlag]: 0 };

/** @throws CalveError `usage` */
export function checkLevel(compression: Codec['compression'], level: number): void {
  const highest = HIGHEST_LEVEL[compression];
  if (Number.isInteger(level) && level >= 1 && level <= highest) return;
  throw new CalveError('usage', `expected a level of ${compression} from 1 to ${highest}, got ${level}`);
}

/**
 * Compresses one cluster into `into`, which is at least as long, and returns how many bytes that makes; 0 where they
 * would not be fewer than the cluster's own, and `into` is as it was.
 */
export type ClusterCompressor = (cluster: Uint8Array, into: Uint8Array) => number;

/**
 * A function that compresses clusters, synchronously: asynchronous zlib is slower than that for pieces of this size.
 * Equal bytes compress to equal bytes.
 * @param library for zstd, where it can be called (default: where it can)
 */
export function clusterCompressor(
  { compression, level, clusterSize }: Codec,
  library: Libzstd | null = libzstdIfAny() ?? null,
): ClusterCompressor {
  if (compression === 'zstd' && library) {
    return (cluster, into) => {
      const frame = library.compress(cluster, level);
      if (frame.length >= cluster.length) return 0;
      into.set(frame);
      return frame.length;
    };
  }
  // Room for what does not compress: deflate adds 5 bytes to each 4 KiB or so. Output in one piece can be released.
  const chunkSize = clusterSize + clusterSize / 256 + zlib.Z_MIN_CHUNK;
  const deflate = { chunkSize, level, ...DEFLATE };
  const zstd = { chunkSize, params: { ...ZSTD, [zlib.ZSTD_c_compressionLevel]: level } };
  return (cluster, into) => {
    const bytes = compression === 'zstd' ? zstdCompressSync(cluster, zstd) : deflateRawSync(cluster, deflate);
    const length = bytes.length < cluster.length ? bytes.length : 0;
    if (length > 0) into.set(bytes);
    releaseOutput(bytes, chunkSize);
    return length;
  };
}
