// Date (FAT specification, "Date and Time Formats"): 0-4 day · 5-8 month · 9-15 years since 1980. Time: 0-4 seconds
//   halved · 5-10 minutes · 11-15 hours. No zone is kept: what is there is taken, and given, as UTC.
const MILLION = 1_000_000n;
const HUNDREDTH = 10_000_000n;
const FIRST_YEAR = 1980;
const FIRST = Date.UTC(FIRST_YEAR, 0, 1);
const LAST = Date.UTC(FIRST_YEAR + 128, 0, 1) - 2000;

/**
 * Nanoseconds since 1970; null when there is no date.
 * @param hundredths of seconds, up to 199, added
 */
export function decodeTime(date: number, time: number, hundredths = 0): bigint | null {
  if (date === 0) return null;
  const milliseconds = Date.UTC(
    FIRST_YEAR + (date >>> 9),
    // As in Linux, a month or a day of 0 is the first.
    Math.max(1, (date >>> 5) & 0xf) - 1,
    Math.max(1, date & 0x1f),
    time >>> 11,
    (time >>> 5) & 0x3f,
    (time & 0x1f) * 2,
  );
  return BigInt(milliseconds) * MILLION + BigInt(hundredths) * HUNDREDTH;
}

/** The latest that is not later, of those that can be kept: from 1980 to 2107, in steps of 2 seconds with hundredths. */
export function encodeTime(nanoseconds: bigint): { date: number; time: number; hundredths: number } {
  const milliseconds = Math.min(Math.max(Number(nanoseconds / MILLION), FIRST), LAST);
  const at = new Date(milliseconds);
  return {
    date: ((at.getUTCFullYear() - FIRST_YEAR) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >>> 1),
    hundredths: (at.getUTCSeconds() % 2) * 100 + Math.floor(at.getUTCMilliseconds() / 10),
  };
}

/** What a file without a date shows: the oldest that there is. */
export const NO_TIME: bigint = BigInt(FIRST) * MILLION;
