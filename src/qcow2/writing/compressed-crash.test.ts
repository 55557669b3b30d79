import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { report, run } from '../../../test/support/programs.ts';
import { PromisedContent } from '../../../test/support/promised-content.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { Chain } from '../chain.ts';
import { type EmptyImageOptions, encodeEmptyImage } from '../empty-image.ts';
import { openImage } from '../open-image.ts';
import type { Qcow2Disk } from '../qcow2-disk.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// More in a long run: CALVE_CRASH_CUTS=5000 CALVE_CRASH_SEED=7 node --test src/qcow2/writing/compressed-crash.test.ts
const { CALVE_CRASH_CUTS = '12', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
const SEED = Number(CALVE_CRASH_SEED);
const CLUSTERS = 48;

const open = (storage: CrashStorage, writable: boolean): Promise<Qcow2Disk> =>
  openImage(storage, { writable, chain: Chain.begin(), openBacking: async () => null });

/** Clusters written compressed, plain and as zeros, some at one time, and flushes; a cluster is a unit. */
async function play(
  options: EmptyImageOptions & { readonly clusterSize: number },
): Promise<{ storage: CrashStorage; promised: PromisedContent }> {
  const { clusterSize } = options;
  const random = seededRandom(SEED);
  const below = (end: number): number => Math.floor(random() * end);
  const storage = new CrashStorage('crash.qcow2', encodeEmptyImage(options));
  const promised = new PromisedContent(new Array<number>(CLUSTERS).fill(0));
  const disk = await open(storage, true);
  const step = async (first: number, count: number): Promise<void> => {
    const value = below(4) === 0 ? 0 : 1 + below(255);
    const change = promised.begins(first, first + count, value, storage.clock);
    const bytes = Buffer.alloc(count * clusterSize, value);
    if (below(4) > 0) await disk.writeCompressed(bytes, first * clusterSize);
    else await disk.write(bytes, first * clusterSize);
    promised.ends(change, storage.clock);
  };
  const flush = async (): Promise<void> => {
    const begun = storage.clock;
    await disk.flush();
    promised.flushed(begun, storage.clock);
  };
  for (let round = 0; round < 30; round += 1) {
    const half = 1 + below(CLUSTERS - 1);
    const first = below(half);
    await Promise.all([
      step(first, 1 + below(Math.min(5, half - first))),
      step(half, 1 + below(Math.min(5, CLUSTERS - half))),
      ...(below(4) === 0 ? [flush()] : []),
    ]);
    if (below(3) === 0) await flush();
  }
  const begun = storage.clock;
  await disk.close();
  promised.flushed(begun, storage.clock);
  return { storage, promised };
}

/** After a crash at `moment`: nothing worse than leaks, and all that was flushed. */
async function assertSound(
  content: Buffer,
  promised: readonly (number | undefined)[],
  clusterSize: number,
  where: string,
): Promise<void> {
  const file = folder.join('cut.qcow2');
  await writeFile(file, content);
  const checked = await run('qemu-img', ['check', '-f', 'qcow2', file]);
  assert.ok(checked.code === 0 || checked.code === 3, `${where}: ${report(checked)}`);
  await using disk = await open(new CrashStorage(file, content), false);
  const bytes = Buffer.alloc(CLUSTERS * clusterSize);
  await disk.read(bytes, 0);
  for (const [cluster, value] of promised.entries()) {
    if (value === undefined) continue;
    const found = bytes.subarray(cluster * clusterSize, (cluster + 1) * clusterSize);
    assert.ok(
      found.every((byte) => byte === value),
      `${where}: cluster ${cluster} was flushed as ${value}, and is ${found[0]}`,
    );
  }
}

describe('trap 34: a crash amid compressed clusters costs leaks at worst, and nothing that was flushed', () => {
  for (const options of [
    { clusterSize: 512, compressionType: 'zlib' },
    { clusterSize: 4096, compressionType: 'zstd' },
    { clusterSize: 1024, compressionType: 'zlib', refcountBits: 2 },
  ] as const) {
    it(`${options.compressionType}, clusters of ${options.clusterSize} bytes`, async () => {
      const { clusterSize } = options;
      const { storage, promised } = await play({ ...options, size: CLUSTERS * clusterSize });
      const random = seededRandom(SEED + 1);
      for (let cut = 0; cut < CUTS; cut += 1) {
        const moment = Math.floor(random() * (storage.clock + 1));
        const survive = [0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0;
        const content = storage.after(moment, () => random() < survive);
        await assertSound(content, promised.at(moment), clusterSize, `cut at ${moment}`);
      }
    });
  }
});
