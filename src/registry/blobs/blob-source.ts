import { CalveError } from '../../errors/index.ts';
import type { Digest } from '../../oci/index.ts';

/** A blob that can be sent, from any offset, more than once. */
export interface BlobSource {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** The bytes of a range, in order. A piece is not used any more when the next is asked for. */
  read(offset: number, length: number): AsyncIterable<Uint8Array>;
}

/** A file that is open (`HostFile`). */
interface ReadableFile {
  readonly path: string;
  read(into: Uint8Array, offset: number): Promise<number>;
}

const PIECE = 256 * 1024;

/** A file's first `size` bytes as a blob. The file must stay open, and as it is. */
export function blobSourceOf(file: ReadableFile, digest: Digest, size: number): BlobSource {
  return {
    digest,
    size,
    async *read(offset, length) {
      for (let at = offset; at < offset + length; ) {
        // Node.js sends a piece when it can: each needs memory of its own.
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, offset + length - at));
        const count = await file.read(piece, at);
        if (count === 0) {
          throw new CalveError('changed', `${file.path}: expected ${size} bytes, got ${at}`, {
            data: { path: file.path },
          });
        }
        yield piece.subarray(0, count);
        at += count;
      }
    },
  };
}

/** A few bytes that are at hand as a blob. */
export function blobSourceOfBytes(bytes: Uint8Array, digest: Digest): BlobSource {
  return {
    digest,
    size: bytes.length,
    async *read(offset, length) {
      yield bytes.subarray(offset, offset + length);
    },
  };
}
