/** Decimal places after which nothing follows of a double that lies halfway between two short numbers. */
const EXACT = 60;

/** As C's `%.*f`: what lies halfway goes to the even digit, where `toFixed` goes up. */
export function fixed(value: number, places: number): string {
  const exact = value.toFixed(EXACT);
  const end = exact.length - EXACT + places;
  const kept = exact.slice(0, places === 0 ? end - 1 : end);
  const isHalfway = /^50*$/.test(exact.slice(end));
  return isHalfway && /[02468]$/.test(kept) ? kept : value.toFixed(places);
}
