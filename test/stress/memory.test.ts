import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import type { ImportResult } from '../../src/store/index.ts';
import { commandLine } from '../support/calve.ts';
import { peakOf, TELL_PEAK } from '../support/peak-memory.ts';
import { temporaryFolder } from '../support/temporary.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const CLUSTER = 65_536;

/** 4 GiB of disk, every second 64 MiB of it data: a third noise, a third text, a third one repeated piece. */
async function writeDisk(path: string): Promise<void> {
  const noise = randomBytes(64 * MIB);
  const text = Buffer.from('a line that packs well, '.repeat((64 * MIB) / 24 + 1)).subarray(0, 64 * MIB);
  const repeated = Buffer.alloc(64 * MIB, noise.subarray(0, CLUSTER));
  const kinds = [noise, text, repeated];
  await using file = await open(path, 'wx');
  for (let piece = 0; piece < 32; piece += 1) {
    const data = kinds[piece % kinds.length] ?? noise;
    // A number in every cluster: none of noise and text is like another.
    if (data !== repeated) {
      for (let at = 0; at < data.length; at += CLUSTER) data.writeDoubleLE(piece * 64 * MIB + at + 1, at);
    }
    await file.write(data, 0, data.length, piece * 128 * MIB);
  }
  await file.truncate(4 * GIB);
}

test('importing a raw disk of 4 GiB with 2 GiB of data stays under 200 MiB of resident memory', async (t) => {
  await using folder = await temporaryFolder();
  const disk = folder.join('disk.raw');
  await writeDisk(disk);
  const calve = commandLine(folder.join('store'));
  const began = performance.now();
  const ran = await calve.run(['import', disk, 'big', '--json'], {
    env: { NODE_OPTIONS: TELL_PEAK },
    timeout: 300_000,
  });
  assert.equal(ran.code, 0, ran.stderr);
  const { version, summary }: ImportResult = JSON.parse(ran.stdout);
  assert.equal(version.size, 4 * GIB);
  const peak = peakOf(ran);
  t.diagnostic(`${((performance.now() - began) / 1000).toFixed(1)} s, ${JSON.stringify(summary)}`);
  t.diagnostic(`resident at most ${peak.toFixed(0)} MiB`);
  assert.ok(peak < 200, `${peak} MiB`);
  await calve.ok('path', '--check', 'big');
});
