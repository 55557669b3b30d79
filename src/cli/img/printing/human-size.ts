const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** Bytes in three digits, as qemu-img prints them: `196 KiB`. From 1000 of a unit on it is the next one. */
export function humanSize(bytes: number): string {
  let unit = 0;
  while (bytes / 1024 ** unit >= 1000 && unit < UNITS.length - 1) unit += 1;
  return `${threeDigits(bytes / 1024 ** unit)} ${UNITS[unit]}B`;
}

/** As C's `%.3g`. */
function threeDigits(value: number): string {
  const [digits = '', exponent] = value.toPrecision(3).split('e');
  const short = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
  return exponent === undefined ? short : `${short}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}
