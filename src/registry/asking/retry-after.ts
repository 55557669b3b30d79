/**
 * Milliseconds that a server asks to be left alone for: Retry-After in seconds or as a date (RFC 9110, 10.2.3); undefined
 * where it asks for nothing.
 * @param now milliseconds since 1970
 */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
