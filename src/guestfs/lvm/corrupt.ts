import { CalveError } from '../../errors/index.ts';

/** @param where the structure @param problem what was expected, and found */
export function corrupt(where: string, problem: string): CalveError {
  return new CalveError('corrupt', `LVM, ${where}: ${problem}`);
}
