import { followBacking, openQcow2, type Qcow2Disk } from '../../src/qcow2/index.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, makeChain, makePlain, makeZstd } from '../images.ts';
import { qemuRequests } from '../qemu.ts';
import { makeRequests, type Requests, scattered, sequential } from '../requests.ts';

/** `quick`: as calve's server reads, at once where no waiting is needed. `plain`: as whoever only knows `Disk.read`. */
type Way = 'quick' | 'plain';

const WAYS: Readonly<
  Record<Way, (disk: Qcow2Disk, into: Uint8Array, at: number) => Promise<void> | undefined>
> = {
  quick: (disk, into, at) => (disk.tryRead(into, at) ? undefined : disk.read(into, at)),
  plain: (disk, into, at) => disk.read(into, at),
};

/** Reads of an image that the page cache holds. */
export function readCases(scene: BenchScene): BenchCase[] {
  const size = scene.short ? 16 * MIB : 512 * MIB;
  const scale = scene.short ? 1 : 8;
  const image = (make: (scene: BenchScene, size: number) => Promise<string>) => {
    let made: Promise<string> | undefined;
    return () => (made ??= make(scene, size));
  };
  const [plain, chain, zstd] = [image(makePlain), image(makeChain), image(makeZstd)];
  const of = (name: string, path: () => Promise<string>, way: Way, requests: Requests): BenchCase => ({
    name: `read ${name}`,
    ...work(requests),
    prepare: async () => void (await path()),
    calve: async () => {
      await using disk = await openQcow2(await path(), { backing: followBacking() });
      return await makeRequests(requests, size, (into, at) => WAYS[way](disk, into, at));
    },
    peer: async () => qemuRequests(await path(), requests),
  });
  const few = 1000 * scale;
  return [
    of('4 KiB at random, depth 1', plain, 'quick', scattered(4096, few, 1)),
    of('4 KiB at random, depth 1, Disk.read', plain, 'plain', scattered(4096, few, 1)),
    of('4 KiB at random, depth 32', plain, 'quick', scattered(4096, 4 * few, 32)),
    of('4 KiB at random, depth 32, Disk.read', plain, 'plain', scattered(4096, 4 * few, 32)),
    of('4 KiB in order, depth 1', plain, 'quick', sequential(4096, few, 1)),
    of('64 KiB at random, depth 8', plain, 'quick', scattered(65_536, few / 4, 8)),
    of('64 KiB in order, depth 1', plain, 'quick', sequential(65_536, few / 4, 1)),
    of('1 MiB in order, depth 1', plain, 'quick', sequential(MIB, few / 20, 1)),
    of('1 MiB in order, depth 4', plain, 'quick', sequential(MIB, few / 20, 4)),
    of('chain of 10, 4 KiB at random, depth 1', chain, 'quick', scattered(4096, few, 1)),
    of('chain of 10, 4 KiB at random, depth 32', chain, 'quick', scattered(4096, few, 32)),
    of('chain of 10, 1 MiB in order, depth 4', chain, 'quick', sequential(MIB, few / 40, 4)),
    of('zstd, 4 KiB at random, depth 32', zstd, 'quick', scattered(4096, few / 2, 32)),
    of('zstd, 4 KiB in order, depth 1', zstd, 'quick', sequential(4096, few, 1)),
    of('zstd, 64 KiB in order, depth 4', zstd, 'quick', sequential(65_536, few / 8, 4)),
  ];
}

/** Small requests are counted, large ones measured. */
function work({ count, size }: Requests): Pick<BenchCase, 'amount' | 'unit'> {
  return size > 4096 ? { amount: (count * size) / 1e6, unit: 'MB' } : { amount: count, unit: 'ops' };
}
