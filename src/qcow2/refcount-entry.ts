/**
 * Refcounts in a refcount block (specification, "Host cluster management", "Refcount block entry"): 1 to 64 bits each,
 * big-endian; those under a byte fill each byte from its least significant bit (trap 29).
 */

/** The refcount at `index`. 64-bit values from 2^53 on are not exact, but never 0 or 1. */
export function readRefcount(block: DataView, index: number, bits: number): number {
  switch (bits) {
    case 8:
      return block.getUint8(index);
    case 16:
      return block.getUint16(index * 2);
    case 32:
      return block.getUint32(index * 4);
    case 64:
      return block.getUint32(index * 8) * 2 ** 32 + block.getUint32(index * 8 + 4);
    default: {
      const at = index * bits;
      return (block.getUint8(at >>> 3) >>> (at & 7)) & ((1 << bits) - 1);
    }
  }
}

/** `value` lies in 0 to `maxRefcount(bits)`. */
export function writeRefcount(block: DataView, index: number, bits: number, value: number): void {
  switch (bits) {
    case 8:
      block.setUint8(index, value);
      return;
    case 16:
      block.setUint16(index * 2, value);
      return;
    case 32:
      block.setUint32(index * 4, value);
      return;
    case 64:
      block.setUint32(index * 8, Math.floor(value / 2 ** 32));
      block.setUint32(index * 8 + 4, value % 2 ** 32);
      return;
    default: {
      const at = index * bits;
      const shift = at & 7;
      const others = block.getUint8(at >>> 3) & ~(((1 << bits) - 1) << shift);
      block.setUint8(at >>> 3, others | (value << shift));
    }
  }
}

/** The most that a refcount of this width can be. */
export function maxRefcount(bits: number): number {
  return Math.min(2 ** bits - 1, Number.MAX_SAFE_INTEGER);
}
