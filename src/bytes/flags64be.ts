import { type CoderType, U64BE, wrap } from 'micro-packed';
import { CalveError } from '../errors/index.ts';

/**
 * A 64-bit big-endian field of flags as the set of those that are on: a known bit by its name, any other by its
 * number, so that nothing is lost on the way through. Bit 0 is the least significant.
 *
 * @param bits each name's bit, 0 to 63
 *
 * @example
 * const features = flags64BE({ dirty: 0, corrupt: 1 });
 * features.decode(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0b101)); // Set { 'dirty', 2 }
 */
export function flags64BE<Name extends string>(
  bits: Readonly<Record<Name, number>>,
): CoderType<ReadonlySet<Name | number>> {
  const bitOf = new Map<Name | number, number>();
  const nameOf = new Map<number, Name>();
  for (const name in bits) {
    bitOf.set(name, bits[name]);
    nameOf.set(bits[name], name);
  }
  return wrap({
    size: 8,
    encodeStream(writer, flags: ReadonlySet<Name | number>): void {
      let field = 0n;
      for (const flag of flags) field |= 1n << BigInt(checkBit(bitOf.get(flag) ?? flag));
      U64BE.encodeStream(writer, field);
    },
    decodeStream(reader): ReadonlySet<Name | number> {
      const field = U64BE.decodeStream(reader);
      const flags = new Set<Name | number>();
      for (let bit = 0; bit < 64; bit += 1) {
        if ((field >> BigInt(bit)) & 1n) flags.add(nameOf.get(bit) ?? bit);
      }
      return flags;
    },
  });
}

function checkBit(bit: number | string): number {
  if (typeof bit === 'number' && Number.isInteger(bit) && bit >= 0 && bit < 64) return bit;
  throw new CalveError('out-of-range', `expected a known flag or a bit from 0 to 63, got ${bit}`);
}
