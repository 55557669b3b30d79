import { CalveError } from '../errors/index.ts';
import { now } from './move-ref.ts';

/**
 * When a version is made, as it says itself: `$SOURCE_DATE_EPOCH` (seconds, reproducible-builds.org), so that the same
 * disks make the same versions whenever they do, else now. RFC 3339, UTC.
 * @throws CalveError `usage`
 */
export function created(): string {
  const { SOURCE_DATE_EPOCH: epoch } = process.env;
  if (epoch === undefined || epoch === '') return now();
  const seconds = Number(epoch);
  // The last second of the year 9999: what RFC 3339 can say.
  if (/^\d+$/.test(epoch) && seconds <= 253_402_300_799) return new Date(seconds * 1000).toISOString();
  throw new CalveError(
    'usage',
    `SOURCE_DATE_EPOCH: expected seconds since 1970 as a whole number, got '${epoch}'`,
  );
}
