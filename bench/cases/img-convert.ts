import { truncate } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { succeed } from '../../test/support/programs.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, makeRaw } from '../images.ts';
import { seconds } from '../requests.ts';

/** What is installed: it starts in a third of the time that its sources take. */
const PROGRAM = fileURLToPath(new URL('../../dist/program/calve-img.js', import.meta.url));

/** `calve img convert` beside `qemu-img convert`, as processes, start and end included. */
export function imgConvertCases(scene: BenchScene): BenchCase[] {
  const size = scene.short ? 16 * MIB : 512 * MIB;
  // The longer, the less of it is the start of a process.
  const large = 2 * size;
  const [raw, plain] = [scene.join('large.raw'), scene.join('plain.qcow2')];
  const source = scene.join('source.raw');
  const [packed, sparse] = [scene.join('packed.qcow2'), scene.join('sparse.raw')];
  let made: Promise<void> | undefined;
  const prepare = () => (made ??= makeSources());
  const of = (name: string, words: readonly string[], amount = large): BenchCase => ({
    name: `img convert ${name}`,
    amount: amount / 1e6,
    unit: 'MB',
    prepare,
    calve: () =>
      seconds(() =>
        succeed(`/${process.execPath.slice(1)}`, [PROGRAM, 'convert', ...words, scene.join('ours')]),
      ),
    peer: () => seconds(() => succeed('qemu-img', ['convert', ...words, scene.join('theirs')])),
  });
  const all = ['-W', '-m', '8'];
  return [
    of('raw to qcow2', ['-f', 'raw', '-O', 'qcow2', raw]),
    of('qcow2 to raw', ['-f', 'qcow2', '-O', 'raw', plain]),
    of('raw to raw', ['-f', 'raw', '-O', 'raw', raw]),
    of('qcow2 to qcow2', ['-f', 'qcow2', '-O', 'qcow2', plain]),
    of('a sixteenth of data, raw to qcow2', ['-f', 'raw', '-O', 'qcow2', sparse], large / 16),
    of('to zlib', ['-c', ...all, '-f', 'raw', '-O', 'qcow2', source], size),
    of('to zstd', ['-c', ...all, '-f', 'raw', '-O', 'qcow2', '-o', 'compression_type=zstd', source], size),
    of('zstd to raw', ['-f', 'qcow2', '-O', 'raw', packed], size),
  ];

  async function makeSources(): Promise<void> {
    await makeRaw(raw, large);
    await makeRaw(source, size);
    await makeRaw(sparse, large / 16);
    await truncate(sparse, large);
    await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, plain]);
    const packing = ['-c', ...all, '-o', 'compression_type=zstd'];
    await succeed('qemu-img', ['convert', ...packing, '-f', 'raw', '-O', 'qcow2', source, packed]);
  }
}
