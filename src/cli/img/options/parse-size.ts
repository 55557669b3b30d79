/** Powers of 1024 by their letters. */
const UNITS = 'BKMGTPE';
/** `1G`, `1.5k`, `0x200`; what follows the letter is no size. */
const DECIMAL = /^\s*(\+?\d+)(\.\d*)?([bkmgtpe])?$/i;
const HEXADECIMAL = /^\s*\+?0x([0-9a-f]+?)([kmgtp])?$/i;

const LIMIT = 1n << 64n;

/** Why a text is no size: it is none, or is 2^64 or more. */
export type NoSize = 'malformed' | 'too-large';

/**
 * Reads a size as QEMU does: bytes, or with a letter of powers of 1024. A fraction needs a letter other than `B`.
 */
export function parseSize(text: string, unit: 'B' | 'K' | 'M' = 'B'): bigint | NoSize {
  const hex = HEXADECIMAL.exec(text);
  if (hex) {
    const [, digits = '0', letter = 'B'] = hex;
    return bounded(BigInt(`0x${digits}`) * factorOf(letter));
  }
  const decimal = DECIMAL.exec(text);
  if (!decimal) return 'malformed';
  const [, whole = '0', fraction = '', letter = unit] = decimal;
  const factor = factorOf(letter);
  const part = Number(`0${fraction}`);
  if (part > 0 && factor === 1n) return 'malformed';
  return bounded(BigInt(whole.replace('+', '')) * factor + BigInt(Math.floor(part * Number(factor))));
}

function factorOf(letter: string): bigint {
  return 1024n ** BigInt(UNITS.indexOf(letter.toUpperCase()));
}

function bounded(value: bigint): bigint | NoSize {
  return value < LIMIT ? value : 'too-large';
}
