import type Koffi from 'koffi';
import { CalveError } from '../errors/index.ts';
import { loadKoffi } from './load-koffi.ts';

/**
 * libzstd as it lies in Node's own program, called without `node:zlib`, which makes a context, a stream and a buffer for
 * each call: for a cluster of 64 KiB that takes as long as unpacking it does. Both have the same bytes come out.
 *
 * Every member throws an Error with libzstd's own words. Buffers are not to be changed before a call is done.
 */
export interface Libzstd {
  /**
   * Compresses `from` as one frame without checksum and content size, as long as the compression bound at most.
   * @returns the frame, valid until the next call
   */
  compress(from: Uint8Array, level: number): Uint8Array;
  /** Unpacks one frame; returns the bytes that came out, at most as many as `into` has room for. */
  decompress(frame: Uint8Array, into: Uint8Array): number;
  /** Gives back the contexts, about 1 MiB. For a thread that ends: nobody else does it. */
  release(): void;
}

/** zstd.h, ZSTD_cParameter: of its stable part. */
const LEVEL = 100;
const CONTENT_SIZE_FLAG = 200;
const CHECKSUM_FLAG = 201;

let loaded: Libzstd | null | undefined;

/** Undefined where Node's program does not show its libzstd, or nothing can be called: `node:zlib` does the same there. */
export function libzstdIfAny(): Libzstd | undefined {
  loaded ??= load();
  return loaded ?? undefined;
}

function load(): Libzstd | null {
  const koffi = loadKoffi();
  if (koffi instanceof CalveError) return null;
  try {
    return declare(koffi);
  } catch {
    // A Node without these names: built to use the system's libzstd, for one.
    return null;
  }
}

type Conversion = (
  context: unknown,
  into: Uint8Array,
  room: number,
  from: Uint8Array,
  length: number,
) => number | bigint;

function declare(koffi: typeof Koffi): Libzstd {
  const library = koffi.load(null);
  // Results are lengths, or errors as negative numbers, in a size_t; pointers to contexts are opaque.
  const createCompressor: () => unknown = library.func('void *ZSTD_createCCtx()');
  const freeCompressor: (context: unknown) => unknown = library.func('int64 ZSTD_freeCCtx(void *context)');
  const createDecompressor: () => unknown = library.func('void *ZSTD_createDCtx()');
  const freeDecompressor: (context: unknown) => unknown = library.func('int64 ZSTD_freeDCtx(void *context)');
  const setParameter: (context: unknown, parameter: number, value: number) => number | bigint = library.func(
    'int64 ZSTD_CCtx_setParameter(void *context, int parameter, int value)',
  );
  const bound: (length: number) => number = library.func('size_t ZSTD_compressBound(size_t length)');
  const compress: Conversion = library.func(
    'int64 ZSTD_compress2(void *context, uint8_t *into, size_t room, const uint8_t *from, size_t length)',
  );
  const decompress: Conversion = library.func(
    'int64 ZSTD_decompressDCtx(void *context, uint8_t *into, size_t room, const uint8_t *from, size_t length)',
  );
  const errorName: (code: number) => string = library.func('const char *ZSTD_getErrorName(int64 code)');

  const check = (result: number | bigint): number => {
    if (result < 0) throw new Error(errorName(Number(result)));
    return Number(result);
  };

  // Made once: each is so large that taking it from the system takes as long as a cluster does.
  let compressor: unknown;
  let decompressor: unknown;
  let output = new Uint8Array();

  return {
    compress(from, level) {
      compressor ??= made(createCompressor());
      check(setParameter(compressor, LEVEL, level));
      check(setParameter(compressor, CONTENT_SIZE_FLAG, 0));
      check(setParameter(compressor, CHECKSUM_FLAG, 0));
      const room = bound(from.length);
      if (output.length < room) output = new Uint8Array(room);
      return output.subarray(0, check(compress(compressor, output, output.length, from, from.length)));
    },
    decompress(frame, into) {
      decompressor ??= made(createDecompressor());
      return check(decompress(decompressor, into, into.length, frame, frame.length));
    },
    release() {
      if (compressor) freeCompressor(compressor);
      if (decompressor) freeDecompressor(decompressor);
      compressor = undefined;
      decompressor = undefined;
      output = new Uint8Array();
    },
  };
}

function made(context: unknown): unknown {
  if (context === null) throw new Error('libzstd: out of memory');
  return context;
}
