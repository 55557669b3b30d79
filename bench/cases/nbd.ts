import { copyFile, writeFile } from 'node:fs/promises';
import { succeed } from '../../test/support/programs.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, makeChain, makePlain, makeRaw, makeZstd } from '../images.ts';
import { type NbdServing, type Serving, serveByCalve, serveByNbdkit, serveByQemu } from '../nbd-servers.ts';
import { seconds } from '../requests.ts';
import { programPath } from '../series/program-path.ts';

type Serve = (path: string, serving: Serving) => Promise<NbdServing>;

/** What one client makes of a server. */
interface Load extends Pick<BenchCase, 'amount' | 'unit'> {
  readonly writes: boolean;
  /** Resolves to the seconds that it took. */
  readonly run: (uri: string) => Promise<number>;
}

/** Calve's server beside `qemu-nbd` (`nbdkit` for a raw file), with the same client, on unix sockets. */
export function nbdCases(scene: BenchScene): BenchCase[] {
  const size = scene.short ? 16 * MIB : 512 * MIB;
  const scale = scene.short ? 1 : 32;
  const once = (make: (scene: BenchScene, size: number) => Promise<string>): (() => Promise<string>) => {
    let made: Promise<string> | undefined;
    return () => (made ??= make(scene, size));
  };
  const [plain, chain, zstd] = [once(makePlain), once(makeChain), once(makeZstd)];
  const raw = once(async (_, bytes) => {
    const path = scene.join('served.raw');
    await makeRaw(path, bytes);
    return path;
  });
  const fio = (how: string, block: number, depth: number, count: number, part = size): Load => ({
    writes: how.endsWith('write'),
    ...(block > 4096 ? { amount: (block * count) / 1e6, unit: 'MB' } : { amount: count, unit: 'ops' }),
    run: (uri) => runFio(uri, how, block, depth, count * block, part),
  });
  const small = 2000 * scale;
  const bytes = (block: number): number => Math.max(1, (size * (scene.short ? 1 : 2)) / block);
  const of = (name: string, image: () => Promise<string>, load: Load, more: Partial<Peer> = {}): BenchCase =>
    beside(scene, `nbd ${name}`, image, load, { serve: serveByQemu, format: 'qcow2', cold: false, ...more });
  const cases = [
    of('4 KiB at random, depth 32', plain, fio('randread', 4096, 32, small)),
    of('4 KiB at random, depth 1', plain, fio('randread', 4096, 1, small / 8)),
    of('64 KiB in order, depth 8', plain, fio('read', 65_536, 8, bytes(65_536))),
    of('1 MiB in order, depth 4', plain, fio('read', MIB, 4, bytes(MIB))),
    of('nbdcopy from it', plain, copyFrom(size)),
    of('4 KiB written at random, depth 32', plain, fio('randwrite', 4096, 32, small)),
    of('64 KiB written in order, depth 8', plain, fio('write', 65_536, 8, bytes(65_536))),
    of('1 MiB written in order, depth 4', plain, fio('write', MIB, 4, bytes(MIB))),
    of('nbdcopy to it', plain, copyTo(raw, size)),
    of('chain of 10, 4 KiB at random, depth 32', chain, fio('randread', 4096, 32, small)),
    of('zstd, 4 KiB at random, depth 32', zstd, fio('randread', 4096, 32, small / 4)),
    of('zstd, within 128 MiB', zstd, fio('randread', 4096, 32, small / 2, Math.min(size, 128 * MIB))),
    of('raw beside nbdkit, 4 KiB at random, depth 32', raw, fio('randread', 4096, 32, small), {
      ...{ serve: serveByNbdkit, format: 'raw' },
    }),
  ];
  // Only root may empty the page cache.
  if (process.getuid?.() === 0) {
    const cold = { cold: true };
    cases.push(of('cold, 4 KiB at random, depth 32', plain, fio('randread', 4096, 32, small / 16), cold));
    cases.push(of('cold, 1 MiB in order, depth 4', plain, fio('read', MIB, 4, size / MIB), cold));
  }
  return cases;
}

interface Peer {
  readonly serve: Serve;
  readonly format: Serving['format'];
  /** The page cache is emptied ahead of each run. */
  readonly cold: boolean;
}

function beside(
  scene: BenchScene,
  name: string,
  image: () => Promise<string>,
  { writes, run, ...work }: Load,
  { serve, format, cold }: Peer,
): BenchCase {
  let servers: readonly NbdServing[] = [];
  const runOn = async (which: number): Promise<number> => {
    if (cold) await emptyPageCache();
    return run(servers[which]?.uri ?? '');
  };
  return {
    ...{ name, ...work },
    prepare: async () => {
      const path = await image();
      // Who writes has an image of its own.
      const own = writes ? [scene.join('calve.img'), scene.join('peer.img')] : [path, path];
      if (writes) for (const each of own) await copyFile(path, each);
      const [calve = '', peer = ''] = own;
      servers = [
        await serveByCalve(scene.join('calve.sock'), { image: calve, format, writable: writes }),
        await serve(scene.join('peer.sock'), { image: peer, format, writable: writes }),
      ];
    },
    calve: () => runOn(0),
    peer: () => runOn(1),
    end: async () => {
      for (const server of servers) await server.end();
    },
  };
}

/** Fio measures itself: start and end do not count. */
async function runFio(
  uri: string,
  how: string,
  block: number,
  depth: number,
  bytes: number,
  part: number,
): Promise<number> {
  const printed = await succeed(programPath('fio'), [
    ...[
      '--name=load',
      '--ioengine=nbd',
      `--uri=${uri}`,
      `--rw=${how}`,
      `--bs=${block}`,
      `--iodepth=${depth}`,
    ],
    ...[`--size=${part}`, `--io_size=${bytes}`, '--norandommap', '--output-format=json'],
  ]);
  // It may print warnings ahead.
  const { jobs } = JSON.parse(printed.slice(printed.indexOf('{')));
  const { runtime } = jobs[0][how.endsWith('write') ? 'write' : 'read'];
  if (typeof runtime !== 'number' || runtime === 0) throw new Error(`fio printed: ${printed}`);
  return runtime / 1000;
}

/** Of the whole disk, with all that nbdcopy does by itself: several connections, many requests at a time. */
function copyFrom(size: number): Load {
  return { writes: false, amount: size / 1e6, unit: 'MB', run: (uri) => nbdcopy([uri, 'null:']) };
}

function copyTo(raw: () => Promise<string>, size: number): Load {
  return {
    ...{ writes: true, amount: size / 1e6, unit: 'MB' },
    run: async (uri) => nbdcopy(['--flush', await raw(), uri]),
  };
}

async function nbdcopy(args: readonly string[]): Promise<number> {
  const idle = await seconds(() => succeed('nbdcopy', ['--version']));
  const whole = await seconds(() => succeed('nbdcopy', [...args]));
  return Math.max(whole - idle, 1e-6);
}

async function emptyPageCache(): Promise<void> {
  await succeed('sync', []);
  await writeFile('/proc/sys/vm/drop_caches', '3');
}
