/** Memory seen as bytes and as 32-bit words: callers' bytes may lie anywhere, and words are what is fast to work on. */
export interface WordBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array;
}

/** @param length bytes, a multiple of 4 */
export function wordBuffer(length: number): WordBuffer {
  const buffer = new ArrayBuffer(length);
  return { bytes: new Uint8Array(buffer), words: new Int32Array(buffer) };
}

/** Exclusive or of the first `length` bytes, into `into`. */
export function xorInto(into: WordBuffer, from: WordBuffer, length: number): void {
  const target = into.words;
  const source = from.words;
  const end = length / 4;
  for (let at = 0; at < end; at += 1) target[at] = (target[at] ?? 0) ^ (source[at] ?? 0);
}
