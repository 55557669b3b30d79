import { CalveError } from '../../errors/index.ts';

/** The error for a structure of a FAT file system that breaks its rules. */
export function corrupt(structure: string, problem: string): CalveError {
  return new CalveError('corrupt', `${structure}: ${problem}`, {
    hint: 'fsck.fat -n tells more, on an exported disk or, through calve nbd, on the environment',
    data: { structure },
  });
}
