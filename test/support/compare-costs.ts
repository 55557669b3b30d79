import assert from 'node:assert/strict';
import type { Cost } from './cpu-time.ts';

/** How much the larger case may take: so many times what the smaller one does, and so many milliseconds. */
export interface Bound {
  readonly times: number;
  readonly slack: number;
}

const LEAST_ROUNDS = 2;
const MOST_ROUNDS = 9;

/**
 * Asserts that the larger case takes little more than the smaller one. They take turns, and the least that each ever
 * took counts: whatever else a machine does only adds to it. So a bound that does not hold yet gets more rounds. It
 * holds when it does for the time on the clock or for that of the processor: a busy machine stretches the one, and
 * threads that wait for each other on it the other, but work that need not be done shows in both.
 * @returns the figures, for people
 */
export async function assertCostsLittleMore(
  smaller: () => Promise<Cost>,
  larger: () => Promise<Cost>,
  { times, slack }: Bound,
): Promise<string> {
  const least = { cpu: Number.POSITIVE_INFINITY, wall: Number.POSITIVE_INFINITY };
  const [small, large] = [{ ...least }, { ...least }];
  const holds = (): boolean =>
    large.wall <= times * small.wall + slack || large.cpu <= times * small.cpu + slack;
  for (let round = 0; round < LEAST_ROUNDS || (round < MOST_ROUNDS && !holds()); round += 1) {
    keepLeast(small, await smaller());
    keepLeast(large, await larger());
  }
  const figures = (['cpu', 'wall'] as const).map((kind) => {
    const ratio = (large[kind] / small[kind]).toFixed(2);
    return `${kind} ${small[kind].toFixed(1)} and ${large[kind].toFixed(1)} ms, ratio ${ratio}`;
  });
  assert.ok(holds(), `expected at most ${times} times as long and ${slack} ms, got ${figures}`);
  return figures.join('; ');
}

function keepLeast(into: { cpu: number; wall: number }, cost: Cost): void {
  into.cpu = Math.min(into.cpu, cost.cpu);
  into.wall = Math.min(into.wall, cost.wall);
}
