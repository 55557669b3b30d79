import { setTimeout as later } from 'node:timers/promises';

/** A rate that work is kept to: `pass` resolves when so many bytes more may be moved. */
export interface Pace {
  readonly pass: (bytes: number, signal?: AbortSignal) => Promise<void>;
}

/** @param rate bytes of a second; undefined: as many as there can be */
export function paceOf(rate: number | undefined): Pace {
  if (rate === undefined || rate <= 0) return { pass: async () => {} };
  let free = performance.now();
  return {
    async pass(bytes, signal) {
      const now = performance.now();
      const start = Math.max(free, now);
      free = start + (1000 * bytes) / rate;
      if (start > now) await later(start - now, undefined, signal === undefined ? {} : { signal });
    },
  };
}
