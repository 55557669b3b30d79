import type { Preallocation } from './image-options.ts';

/** A file that storage is kept for. Offsets and lengths are bytes. */
interface ReservableFile {
  /** False where it cannot be done. */
  allocate(offset: number, length: number): boolean;
  write(from: Uint8Array, offset: number): Promise<void>;
}

/** Reserved at once, so that others get a turn in between. */
const STRETCH = 256 * 1024 ** 2;
const ZEROS = new Uint8Array(1024 * 1024);

/**
 * Keeps the host's storage for a range of a file that reads zeros: by asking for it (`falloc`), or by writing zeros
 * (`full`, and where asking is of no use). Nothing in the other modes.
 * @throws CalveError `no-space`, `io`; the signal's reason
 */
export async function reserveStorage(
  file: ReservableFile,
  offset: number,
  length: number,
  mode: Preallocation,
  signal?: AbortSignal,
): Promise<void> {
  if (mode === 'off' || mode === 'metadata') return;
  const end = offset + length;
  let asks = mode === 'falloc';
  for (let at = offset; at < end; ) {
    signal?.throwIfAborted();
    const stretch = Math.min(STRETCH, end - at);
    if (asks && file.allocate(at, stretch)) {
      at += stretch;
      continue;
    }
    asks = false;
    const piece = ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
    await file.write(piece, at);
    at += piece.length;
  }
}
