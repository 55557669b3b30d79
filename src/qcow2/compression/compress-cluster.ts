import { deflateRawSync, constants as zlib, zstdCompressSync } from 'node:zlib';
import { CalveError } from '../../errors/index.ts';

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

/** @throws CalveError `usage` */
export function checkLevel(compression: Codec['compression'], level: number): void {
  const highest = HIGHEST_LEVEL[compression];
  if (Number.isInteger(level) && level >= 1 && level <= highest) return;
  throw new CalveError('usage', `expected a level of ${compression} from 1 to ${highest}, got ${level}`);
}

/**
 * A function that compresses one cluster, synchronously: asynchronous zlib is slower than that for pieces of this
 * size. It returns the compressed bytes, or undefined where they would not be fewer than the cluster's own.
 * Equal bytes compress to equal bytes.
 */
export function clusterCompressor(codec: Codec): (cluster: Uint8Array) => Uint8Array | undefined {
  const compress = codec.compression === 'zstd' ? zstdCompressor(codec) : deflateCompressor(codec);
  return (cluster) => {
    const bytes = compress(cluster);
    return bytes.length < cluster.length ? bytes : undefined;
  };
}

function zstdCompressor({ level, clusterSize }: Codec): (cluster: Uint8Array) => Uint8Array {
  const options = {
    chunkSize: chunkSize(clusterSize),
    params: {
      [zlib.ZSTD_c_compressionLevel]: level,
      // One frame of known length is all that a cluster can be, and its digest stands over the whole layer.
      [zlib.ZSTD_c_checksumFlag]: 0,
      [zlib.ZSTD_c_contentSizeFlag]: 0,
    },
  };
  return (cluster) => zstdCompressSync(cluster, options);
}

function deflateCompressor({ level, clusterSize }: Codec): (cluster: Uint8Array) => Uint8Array {
  const options = { chunkSize: chunkSize(clusterSize), level, ...DEFLATE };
  return (cluster) => deflateRawSync(cluster, options);
}

/** Output that is longer than a cluster is thrown away, so it need not fit into one piece. */
function chunkSize(clusterSize: number): number {
  return clusterSize + zlib.Z_MIN_CHUNK;
}
