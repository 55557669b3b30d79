import { CalveError } from '../../errors/index.ts';

/** The error for a structure of the file system that breaks its rules. */
export function corrupt(structure: string, problem: string): CalveError {
  return new CalveError('corrupt', `${structure}: ${problem}`, {
    hint: 'e2fsck -f tells more, on an exported disk or, through calve nbd, on the environment',
    data: { structure },
  });
}

/** @throws CalveError `corrupt` naming the structure, when the two differ */
export function checkChecksum(structure: string, stored: number, computed: number): void {
  if (stored === computed) return;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  throw corrupt(structure, `expected the checksum ${hex(stored)}, got ${hex(computed)}`);
}
