import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work at a stretch: what is read from the page cache never waits by itself. */
const STRETCH = 10;

let began = performance.now();

/** Whether it is time to let others run: timers, signals, whoever wants to end this. */
export function isTimeForOthers(): boolean {
  return performance.now() - began > STRETCH;
}

/** Lets others run. */
export async function letOthersRun(): Promise<void> {
  await setImmediate();
  began = performance.now();
}
