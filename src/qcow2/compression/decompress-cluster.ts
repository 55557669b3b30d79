import { inflateRawSync, constants as zlib, zstdDecompressSync } from 'node:zlib';
import { CalveError } from '../../errors/index.ts';
import { type Libzstd, libzstdIfAny } from '../../host/index.ts';
import { releaseOutput } from './release-output.ts';
import { zstdFrame } from './zstd-frame.ts';

/**
 * Frames in one cluster. Writers use one; the bound keeps a cluster of ten-byte frames from costing a call of
 * zstd for each.
 */
const MAX_FRAMES = 1024;
/** The window that RFC 8878 section 3.1.1.1.2 asks of every decoder, and that it asks encoders not to pass: 8 MiB. */
const MAX_WINDOW = 8 * 2 ** 20;

/**
 * Unpacks a compressed cluster: fills `into`, whose length is the cluster size, from `from`, the bytes that the
 * cluster's descriptor spans. What follows the compressed stream is not looked at: it is padding up to the
 * sector, or the next cluster's.
 *
 * `zlib` is a raw deflate stream, RFC 1951, of any window up to 15 bits; `zstd` is one frame or several, RFC 8878.
 * Both as QEMU reads them, docs/interop/qcow2.txt, "Compressed Clusters Descriptor" and "compression_type".
 * Synchronous, because a cluster takes less time than a trip through the thread pool. Bytes from anywhere are
 * safe: memory and time are bounded by the two lengths.
 *
 * @param library for zstd (default: where it can be called)
 * @throws CalveError `corrupt` unless exactly `into.length` bytes come out; `into` is undefined then
 */
export function decompressCluster(
  type: 'zlib' | 'zstd',
  from: Uint8Array,
  into: Uint8Array,
  library: Libzstd | null = libzstdIfAny() ?? null,
): void {
  const length = type === 'zlib' ? inflate(from, into) : unzstd(from, into, library);
  if (length !== into.length) {
    throw new CalveError('corrupt', `${type}: expected a cluster of ${into.length} bytes, got ${length}`);
  }
}

function inflate(from: Uint8Array, into: Uint8Array): number {
  // The end of the stream may be cut off as long as the cluster is whole: QEMU reads that too.
  const finishFlush = zlib.Z_SYNC_FLUSH;
  return unpack('zlib', into, (bounds) => inflateRawSync(from, { ...bounds, finishFlush }));
}

function unzstd(from: Uint8Array, into: Uint8Array, library: Libzstd | null): number {
  let filled = 0;
  let at = 0;
  for (let frames = 0; filled < into.length; frames += 1) {
    if (frames === MAX_FRAMES) {
      throw new CalveError('corrupt', `zstd: expected at most ${MAX_FRAMES} frames in a cluster`);
    }
    // The library unpacks one frame and refuses what follows it, so each is cut out.
    const frame = zstdFrame(from, at);
    const bytes = from.subarray(at, at + frame.length);
    if (!frame.skippable) {
      const rest = into.subarray(filled);
      checkClaims(frame.contentSize ?? 0, frame.windowSize, rest.length, at);
      filled += library
        ? refused('zstd', rest, () => library.decompress(bytes, rest))
        : unpack('zstd', rest, (bounds) => zstdDecompressSync(bytes, bounds));
    }
    at += frame.length;
  }
  return filled;
}

function checkClaims(contentSize: number, windowSize: number, room: number, at: number): void {
  if (contentSize > room) {
    throw new CalveError(
      'corrupt',
      `zstd: the frame at byte ${at} holds ${contentSize} bytes, ${room} fit into the cluster`,
    );
  }
  if (windowSize > MAX_WINDOW) {
    throw new CalveError(
      'corrupt',
      `zstd: the frame at byte ${at} asks for a window of ${windowSize} bytes, ${MAX_WINDOW} is the most`,
    );
  }
}

interface Bounds {
  readonly chunkSize: number;
  readonly maxOutputLength: number;
}

function unpack(type: string, into: Uint8Array, run: (bounds: Bounds) => Uint8Array): number {
  // One byte of room more than is needed: output that fills its buffer makes zlib ask for another one.
  const chunkSize = Math.max(into.length + 1, zlib.Z_MIN_CHUNK);
  const bytes = refused(type, into, () => run({ chunkSize, maxOutputLength: into.length }));
  into.set(bytes);
  const { length } = bytes;
  releaseOutput(bytes, chunkSize);
  return length;
}

/** What a library says of its input, as an error of the image. */
function refused<T>(type: string, into: Uint8Array, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = `a cluster of ${into.length} bytes`;
    throw new CalveError('corrupt', `${type}: ${what} cannot be unpacked: ${reason}`, { cause });
  }
}
