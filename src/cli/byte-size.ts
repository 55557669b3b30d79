import { InvalidArgumentError } from 'commander';

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

/**
 * The value of an option that is a size, in bytes: `1048576`, `512K`, `1.5G`, `10 GiB`; a unit is a power of 1024, as
 * for qemu-img and docker, in either case.
 */
export function byteSize(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([KMGTP])(?:iB)?)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(number) * 1024 ** UNITS.indexOf(unit.toUpperCase()));
  if (number === undefined || !Number.isSafeInteger(bytes) || bytes === 0) {
    throw new InvalidArgumentError('expected a size in bytes, or with K, M, G or T: 512M, 1.5G, 10GiB.');
  }
  return bytes;
}
