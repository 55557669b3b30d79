import { fixed } from './fixed.ts';

const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** Bytes in three digits, as qemu-img prints them: `196 KiB`. From 1000 of a unit on it is the next one. */
export function humanSize(bytes: number): string {
  let unit = 0;
  while (bytes / 1024 ** unit >= 1000 && unit < UNITS.length - 1) unit += 1;
  return `${threeDigits(bytes / 1024 ** unit)} ${UNITS[unit]}B`;
}

/** As C's `%.3g`, of what is 0, or from 0.1 to 1000. */
function threeDigits(value: number): string {
  const places = value >= 100 || value === 0 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  const digits = fixed(value, places);
  if (digits === '1000') return '1e+03';
  return places === 0 ? digits : digits.replace(/\.?0+$/, '');
}
