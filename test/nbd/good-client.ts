// A client as any: `good-client.ts SOCKET`. It reads at random, checks, and measures, until its standard input ends; each
// line that it is sent begins a new period. Tells then, as JSON, the latencies of each period, milliseconds.
import assert from 'node:assert/strict';
import { pattern } from './served.ts';
import { CMD, Wire } from './wire.ts';

export const SIZE: number = 4 * 2 ** 20;

/** Of one period. */
export interface Latencies {
  readonly count: number;
  readonly median: number;
  readonly worst: number;
  /** 99 of a hundred take no longer. */
  readonly most: number;
}

if (process.argv[1] === import.meta.filename) await measure(process.argv[2] ?? '');

async function measure(path: string): Promise<void> {
  const periods: number[][] = [[]];
  let over = false;
  process.stdin.on('data', () => periods.push([])).on('end', () => (over = true));
  await using wire = await Wire.go(path, 'structured');
  for (let at = 0; at < SIZE; at += SIZE / 4) {
    await wire.command({ command: CMD.WRITE, offset: at, payload: pattern(at, SIZE / 4) });
  }
  const expected = pattern(0, SIZE);
  process.stdout.write('ready\n');
  for (let count = 0; !over; count += 1) {
    const offset = (count * 7919 * 512) % (SIZE - 4096);
    const began = performance.now();
    const { error, data } = await wire.command({ command: CMD.READ, offset, length: 4096 });
    periods.at(-1)?.push(performance.now() - began);
    assert.equal(error, 0);
    assert.ok(data.equals(expected.subarray(offset, offset + 4096)));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  process.stdout.write(JSON.stringify(periods.map(latencies)));
}

function latencies(times: readonly number[]): Latencies {
  const sorted = times.toSorted((a, b) => a - b);
  const part = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { count: sorted.length, median: part(0.5), most: part(0.99), worst: part(1) };
}
