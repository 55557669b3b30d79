import { open, rm } from 'node:fs/promises';
import { type CreateOptions, createQcow2, denyBacking, openQcow2 } from '../../src/qcow2/index.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, makePlain, makeRaw } from '../images.ts';
import { qemuImg, qemuRequests } from '../qemu.ts';
import { makeRequests, type Requests, scattered, seconds, sequential } from '../requests.ts';

/** Writes into an image in the page cache; durable only where a case says so. */
export function writeCases(scene: BenchScene): BenchCase[] {
  const size = scene.short ? 16 * MIB : 512 * MIB;
  const scale = scene.short ? 1 : 20;
  const few = 200 * scale;
  let made: Promise<string> | undefined;
  const plain = () => (made ??= makePlain(scene, size));
  const fresh = async (options: Partial<CreateOptions> = {}): Promise<string> => {
    const path = scene.join('fresh.qcow2');
    await rm(path, { force: true });
    await createQcow2(path, { size, sync: false, ...options });
    return path;
  };
  const of = (name: string, path: () => Promise<string>, requests: Requests, flushEach = 0): BenchCase => ({
    name: `write ${name}`,
    ...work(requests),
    calve: async () => {
      await using disk = await openQcow2(await path(), { writable: true, backing: denyBacking });
      return await makeRequests(requests, size, async (from, at, number) => {
        await disk.write(from, at);
        if (flushEach > 0 && (number + 1) % flushEach === 0) await disk.flush();
      });
    },
    peer: async () => {
      const flush = flushEach > 0 ? [`--flush-interval=${flushEach}`] : [];
      return qemuRequests(await path(), requests, ['-w', ...flush]);
    },
  });
  return [
    of('64 KiB in order to new clusters, depth 1', fresh, sequential(65_536, size / 65_536, 1)),
    of('64 KiB in order to new clusters, depth 8', fresh, sequential(65_536, size / 65_536, 8)),
    of('1 MiB in order to new clusters, depth 1', fresh, sequential(MIB, size / MIB, 1)),
    of('4 KiB at random to new clusters, depth 1', fresh, scattered(4096, few, 1)),
    of('4 KiB at random to new clusters, depth 16', fresh, scattered(4096, few, 16)),
    of('4 KiB at random in place, depth 1', plain, scattered(4096, few, 1)),
    of('4 KiB at random in place, depth 32', plain, scattered(4096, 4 * few, 32)),
    of('64 KiB in order in place, depth 4', plain, sequential(65_536, few / 4, 4)),
    of('4 KiB in place and a flush for each, depth 1', plain, scattered(4096, 10 * scale, 1), 1),
    of('4 KiB to new clusters and a flush for each', fresh, scattered(4096, 10 * scale, 1), 1),
    ...(['zlib', 'zstd'] as const).map((type) => compressedCase(scene, type, fresh, size)),
  ];
}

/** A whole disk, as `qemu-img convert -c` with all it can do in parallel. */
function compressedCase(
  scene: BenchScene,
  compressionType: 'zlib' | 'zstd',
  fresh: (options: Partial<CreateOptions>) => Promise<string>,
  size: number,
): BenchCase {
  const raw = scene.join('compress.raw');
  return {
    name: `write ${compressionType} clusters`,
    amount: size / 1e6,
    unit: 'MB',
    prepare: () => makeRaw(raw, size),
    calve: async () => {
      const path = await fresh({ compressionType });
      return seconds(async () => {
        await using source = await open(raw);
        await using disk = await openQcow2(path, { writable: true, backing: denyBacking });
        const requests = sequential(MIB, size / MIB, 8);
        await makeRequests(requests, size, async (buffer, at) => {
          await source.read(buffer, 0, buffer.length, at);
          await disk.writeCompressed(buffer, at);
        });
      });
    },
    peer: async () => {
      const path = await fresh({ compressionType });
      return qemuImg(['convert', '-n', '-c', '-W', '-m', '8', '-f', 'raw', '-O', 'qcow2', raw, path]);
    },
  };
}

function work({ count, size }: Requests): Pick<BenchCase, 'amount' | 'unit'> {
  return size > 4096 ? { amount: (count * size) / 1e6, unit: 'MB' } : { amount: count, unit: 'ops' };
}
