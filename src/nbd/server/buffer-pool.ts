/** Bytes of the shortest and the longest buffers that are kept. */
const SHORTEST = 32 * 1024;
const LONGEST = 1 << 20;
/** What is moved is a power of two most often; a reply's head goes ahead of it. */
const HEAD = 64;
/** Bytes that are kept for later, of each length. */
const KEPT = 6 << 20;

const spare = new Map<number, Buffer[]>();
/** Those that are out. Others, of the same length even, are parts of what Node.js shares among all. */
const lent = new WeakSet<ArrayBufferLike>();

/**
 * A buffer for what is moved between socket and disk. Those that were given back are used again: pages of new memory cost
 * more than what they are filled with, and what is only garbage counts until it is collected.
 */
export function takeBuffer(length: number): Buffer {
  if (length < SHORTEST / 2 || length > LONGEST + HEAD) return Buffer.allocUnsafeSlow(length);
  let body = SHORTEST;
  while (body + HEAD < length) body *= 2;
  const capacity = body + HEAD;
  const whole = spare.get(capacity)?.pop() ?? Buffer.allocUnsafeSlow(capacity);
  lent.add(whole.buffer);
  return length === capacity ? whole : whole.subarray(0, length);
}

/** Gives back a buffer, or a part of it, which nobody uses any more. What is not from `takeBuffer` is let go. */
export function giveBuffer({ buffer }: Buffer): void {
  if (!lent.delete(buffer)) return;
  const { byteLength } = buffer;
  const kept = spare.get(byteLength) ?? [];
  if (kept.length * byteLength < KEPT) kept.push(Buffer.from(buffer));
  spare.set(byteLength, kept);
}
