import { InvalidArgumentError } from 'commander';

/** The value of an option that counts: 1, 2, 3 … */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('expected a whole number from 1 on.');
  }
  return value;
}
