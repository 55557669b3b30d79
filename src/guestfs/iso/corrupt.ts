import { CalveError } from '../../errors/index.ts';

/** The error for a structure of an ISO 9660 image that breaks its rules. */
export function corrupt(structure: string, problem: string): CalveError {
  return new CalveError('corrupt', `${structure}: ${problem}`, {
    hint: 'an image that was not transferred whole looks like this: compare its checksum',
    data: { structure },
  });
}
