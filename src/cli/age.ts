const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;

/** How long ago a time (RFC 3339) was, in docker's words: `3 minutes ago`. */
export function formatAge(time: string, now: number = Date.now()): string {
  const seconds = Math.floor((now - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return time;
  if (seconds < 1) return 'just now';
  return `${elapsed(seconds)} ago`;
}

/** How long from now a time (RFC 3339) is: `in 6 days`; `expired` when it is over. */
export function formatUntil(time: string, now: number = Date.now()): string {
  const seconds = Math.ceil((Date.parse(time) - now) / 1000);
  if (Number.isNaN(seconds)) return time;
  return seconds <= 0 ? 'expired' : `in ${elapsed(seconds)}`;
}

function elapsed(seconds: number): string {
  if (seconds < MINUTE) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  if (seconds < 2 * MINUTE) return 'about a minute';
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} minutes`;
  if (seconds < 2 * HOUR) return 'about an hour';
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} hours`;
  if (seconds < 2 * WEEK) return `${Math.floor(seconds / DAY)} days`;
  if (seconds < 2 * MONTH) return `${Math.floor(seconds / WEEK)} weeks`;
  if (seconds < 2 * YEAR) return `${Math.floor(seconds / MONTH)} months`;
  return `${Math.floor(seconds / YEAR)} years`;
}
