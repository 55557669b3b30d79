import { type FileHandle, open } from 'node:fs/promises';
import { createQcow2 } from '../src/qcow2/index.ts';
import { succeed } from '../test/support/programs.ts';
import { seededRandom } from '../test/support/random.ts';
import type { BenchScene } from './bench-case.ts';

export const MIB: number = 2 ** 20;

const WORDS = Array.from({ length: 400 }, (_, at) => ((at * 2_654_435_761) % 2 ** 32).toString(36));
/** Bytes that are cut out of a pool in one piece. */
const PIECE = 8192;

/** A raw file whose clusters of 64 KiB compress to about a half: words drawn from a few hundred. */
export async function makeRaw(path: string, size: number): Promise<void> {
  let state = 1;
  const piece = Buffer.alloc(MIB);
  await using file: FileHandle = await open(path, 'w');
  for (let at = 0; at < size; at += piece.length) {
    let filled = 0;
    while (filled < piece.length) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      filled += piece.write(`${WORDS[state % 400]} `, filled, 'latin1');
    }
    await file.write(piece, 0, Math.min(piece.length, size - at), at);
  }
}

/**
 * Fills buffers, fast, with what compresses as `makeRaw`'s does and never comes again: pieces of a text of 16 MiB, cut at
 * random places.
 */
export function wordsPool(seed: number): (into: Buffer) => void {
  const random = seededRandom(seed);
  const pool = Buffer.alloc(16 * MIB);
  for (let filled = 0; filled < pool.length; ) {
    filled += pool.write(`${WORDS[Math.floor(random() * 400)]} `, filled, 'latin1');
  }
  return (into) => {
    for (let at = 0; at < into.length; at += PIECE) {
      const from = Math.floor(random() * (pool.length - PIECE));
      pool.copy(into, at, from, from + Math.min(PIECE, into.length - at));
    }
  };
}

/** An image whose clusters are all there, in the order of the disk, and what it was made from. */
export async function makePlain(scene: BenchScene, size: number): Promise<string> {
  const [raw, path] = [scene.join('plain.raw'), scene.join('plain.qcow2')];
  await makeRaw(raw, size);
  await succeed('qemu-img', ['convert', '-O', 'qcow2', raw, path]);
  return path;
}

/** Ten images, one on the other: each holds every tenth cluster of the disk. Returns the topmost. */
export async function makeChain(scene: BenchScene, size: number): Promise<string> {
  const clusters = size / 65_536;
  let below: string | undefined;
  for (let depth = 0; depth < 10; depth += 1) {
    const path = scene.join(`chain-${depth}.qcow2`);
    const backing = below === undefined ? {} : { backingFile: below, backingFormat: 'qcow2' };
    await createQcow2(path, { size, sync: false, ...backing });
    const writes: string[] = [];
    for (let cluster = depth; cluster < clusters; cluster += 10) {
      writes.push(`write -q -P ${depth + 1} ${cluster * 65_536} 65536`);
    }
    await succeed('qemu-io', ['-f', 'qcow2', path], { input: `${writes.join('\n')}\n` });
    below = path;
  }
  return below ?? '';
}

/** An image of zstd clusters. */
export async function makeZstd(scene: BenchScene, size: number): Promise<string> {
  const [raw, path] = [scene.join('zstd.raw'), scene.join('zstd.qcow2')];
  await makeRaw(raw, size);
  await succeed('qemu-img', ['convert', '-c', '-O', 'qcow2', '-o', 'compression_type=zstd', raw, path]);
  return path;
}
