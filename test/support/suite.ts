// How the large suites are run: short by `npm test`, long by the scripts of their own (CONTRIBUTING.md has the table).

const { CALVE_SEED, CALVE_LONG, CALVE_ROUNDS } = process.env;

/** What all that is random in a suite comes from: CALVE_SEED, or a number that never changes. */
export const SEED: number = CALVE_SEED === undefined ? 20_240_607 : Number(CALVE_SEED);

/** Whether this is a long run: CALVE_LONG=1. */
export const LONG: boolean = CALVE_LONG === '1';

/** How many rounds a suite runs: CALVE_ROUNDS, or by the length of the run. */
export function rounds(short: number, long: number): number {
  if (CALVE_ROUNDS !== undefined) return Number(CALVE_ROUNDS);
  return LONG ? long : short;
}
