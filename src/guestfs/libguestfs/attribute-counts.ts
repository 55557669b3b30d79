import { parseStructures, unexpected } from './parse-structures.ts';

/**
 * How many attributes each of some files has, as `lxattrlist` tells: for each file first an entry without a name, whose
 * value is how many follow. The names and values themselves are not taken from there, for both are printed so that they
 * could be something else.
 *
 * @param count how many files it was asked for
 * @throws CalveError `corrupt`
 */
export function attributeCounts(answer: Buffer, count: number): number[] {
  const counts: number[] = [];
  let following = 0;
  for (const fields of parseStructures(answer)) {
    const isHead = fields.get('attrname') === '';
    if (isHead !== (following === 0)) throw unexpected('attributes that are not as many as was said');
    if (!isHead) {
      following -= 1;
      continue;
    }
    const value = fields.get('attrval') ?? '';
    // A zero byte ends the number, which guestfish prints like this.
    const digits = /^(\d{1,6})(?:\\x00)?$/.exec(value)?.[1];
    if (digits === undefined) throw unexpected(`attrval: ${value}`);
    following = Number(digits);
    counts.push(following);
  }
  if (following !== 0 || counts.length !== count) throw unexpected(`attributes of ${counts.length} files`);
  return counts;
}
