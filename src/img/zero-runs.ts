import { isZero } from '../bytes/index.ts';

/** A run of bytes that are all zeros, or are taken as data. Bytes from the beginning of the buffer. */
export interface ZeroRun {
  readonly start: number;
  readonly end: number;
  readonly zero: boolean;
}

/** Zeros are looked for in no finer steps. */
const SECTOR = 512;

/**
 * Parts a buffer into data and zeros, in order and without gaps. Zeros count from a run of `minZeros` bytes on, in steps of
 * the largest power of two that `minZeros` holds; 0: all is data.
 */
export function* dataAndZeros(bytes: Uint8Array, minZeros: number): Generator<ZeroRun> {
  const { length } = bytes;
  if (minZeros === 0) {
    if (length > 0) yield { start: 0, end: length, zero: false };
    return;
  }
  const step = Math.max(SECTOR, 2 ** Math.floor(Math.log2(minZeros)));
  let dataFrom = 0;
  for (let at = 0; at < length; ) {
    const end = zerosEnd(bytes, at, step);
    if (end - at < Math.min(minZeros, length - at)) {
      at = Math.min(length, Math.max(end, at + step));
      continue;
    }
    if (at > dataFrom) yield { start: dataFrom, end: at, zero: false };
    yield { start: at, end, zero: true };
    dataFrom = end;
    at = end;
  }
  if (dataFrom < length) yield { start: dataFrom, end: length, zero: false };
}

/** Where the zeros that begin at `at` end, in whole steps; `at` where there are none. */
function zerosEnd(bytes: Uint8Array, at: number, step: number): number {
  let end = at;
  while (end < bytes.length && isZeroStep(bytes, end, Math.min(end + step, bytes.length))) {
    end = Math.min(end + step, bytes.length);
  }
  return end;
}

/** One byte tells most of data, at a hundredth of what the whole costs. */
function isZeroStep(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start] === 0 && bytes[end - 1] === 0 && isZero(bytes.subarray(start, end));
}
