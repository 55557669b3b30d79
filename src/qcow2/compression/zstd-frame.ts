import { CalveError } from '../../errors/index.ts';

// One frame, RFC 8878 section 3.1; all fields are little-endian:
//
//   4     magic           0xfd2fb528, or 0x184d2a50 to 0x184d2a5f: skippable, 4 bytes of length and so many bytes
//   1     descriptor      bits 7-6 content size flag, 5 single segment, 3 reserved, 2 checksum, 1-0 dictionary flag
//   0, 1  window          bits 7-3 exponent, 2-0 mantissa; absent in a single segment
//   0..4  dictionary      by the flag: 0, 1, 2, 4 bytes
//   0..8  content size    by the flag: 0 (1 in a single segment), 2, 4, 8 bytes
//   then blocks           3 bytes: bit 0 last, bits 2-1 type, bits 23-3 size; a block of type RLE holds 1 byte
//   0, 4  checksum

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const CHECKSUM_BYTES = 4;
const RLE = 1;
const RESERVED = 3;

/** What a zstd frame says of itself, before anything is unpacked. */
export interface ZstdFrame {
  /** Bytes, header and checksum included. */
  readonly length: number;
  /** A frame for others, which holds no content. */
  readonly skippable: boolean;
  /** Bytes of content; undefined where the frame does not say. */
  readonly contentSize: number | undefined;
  /** Bytes of content that unpacking has to keep at hand; 0 for a skippable frame. */
  readonly windowSize: number;
}

/**
 * The zstd frame that starts at byte `at`, of which only the lengths are read: the blocks may still be rubbish.
 * A length is believed only as far as `bytes` reaches, so the work is bounded by the bytes there are.
 *
 * @throws CalveError `corrupt` when no frame starts there, or it does not end within `bytes`
 */
export function zstdFrame(bytes: Uint8Array, at: number): ZstdFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const magic = view.getUint32(at, true);
    if (magic >>> 4 === SKIPPABLE_MAGIC >>> 4) return skippableFrame(view, at);
    if (magic !== MAGIC) {
      throw new CalveError('corrupt', `zstd: no frame at byte ${at}: the magic is 0x${magic.toString(16)}`);
    }
    return dataFrame(view, at);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CalveError('corrupt', `zstd: the frame at byte ${at} does not end in ${bytes.length} bytes`);
  }
}

function skippableFrame(view: DataView, at: number): ZstdFrame {
  const length = 8 + view.getUint32(at + 4, true);
  reach(view, at + length);
  return { length, skippable: true, contentSize: undefined, windowSize: 0 };
}

function dataFrame(view: DataView, start: number): ZstdFrame {
  let at = start + 4;
  const descriptor = view.getUint8(at++);
  const singleSegment = (descriptor & 0x20) !== 0;
  if (descriptor & 0x08) {
    throw new CalveError('corrupt', `zstd: the frame at byte ${start} sets a reserved bit`);
  }
  const declaredWindow = singleSegment ? 0 : windowOf(view.getUint8(at++));
  at += DICTIONARY_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  const sizeBytes =
    singleSegment && descriptor < 0x40 ? 1 : CONTENT_SIZE_BYTES[(descriptor >>> 6) as 0 | 1 | 2 | 3];
  const contentSize = contentSizeOf(view, at, sizeBytes);
  at = afterBlocks(view, at + sizeBytes, start);
  if (descriptor & 0x04) at += CHECKSUM_BYTES;
  reach(view, at);
  const windowSize = singleSegment ? (contentSize ?? 0) : declaredWindow;
  return { length: at - start, skippable: false, contentSize, windowSize };
}

/** RFC 8878 section 3.1.1.1.2: from 1 KiB to 3.75 TiB. */
function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** RFC 8878 section 3.1.1.1.4: two bytes count from 256. */
function contentSizeOf(view: DataView, at: number, bytes: 0 | 1 | 2 | 4 | 8): number | undefined {
  switch (bytes) {
    case 0:
      return undefined;
    case 1:
      return view.getUint8(at);
    case 2:
      return 256 + view.getUint16(at, true);
    case 4:
      return view.getUint32(at, true);
    case 8:
      // Above 2^53 this loses bytes; whoever asks compares it with a cluster.
      return view.getUint32(at, true) + 2 ** 32 * view.getUint32(at + 4, true);
  }
}

/** Where the blocks end. Each takes at least 3 bytes, so that this ends. */
function afterBlocks(view: DataView, start: number, frame: number): number {
  for (let at = start; ; ) {
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const type = (header >>> 1) & 3;
    if (type === RESERVED) {
      throw new CalveError(
        'corrupt',
        `zstd: the frame at byte ${frame} has a block of reserved type at byte ${at}`,
      );
    }
    at += 3 + (type === RLE ? 1 : header >>> 3);
    if (header & 1) return at;
  }
}

/** Throws what a read past the end throws. */
function reach(view: DataView, end: number): void {
  if (end > view.byteLength) throw new RangeError(`byte ${end} of ${view.byteLength}`);
}
