import type { Combination } from './combination.ts';

/** One change of a guest's data. Bytes. */
export interface Change {
  readonly kind: 'write' | 'zero' | 'discard' | 'compress';
  readonly offset: number;
  readonly length: number;
  readonly value: number;
}

/** Clusters of the disk, and the bytes behind them, which end inside a cluster. */
const CLUSTERS = 8;
const REST = 512;
/** Compressed clusters are repeated until they are no longer than this: the largest take their time. */
const PIECE = 64 * 1024;

export function diskSize({ clusterSize }: Combination): number {
  return CLUSTERS * clusterSize + REST;
}

/** A small history: data, zeros, discards, compressed clusters, across clusters and inside of them. */
export function firstHistory(one: Combination): Change[] {
  const { clusterSize: size, dataFile, encryption } = one;
  const piece = Math.min(size, PIECE);
  const compresses = dataFile === 'none' && encryption === 'none';
  // Every cluster of a raw data file has its place from the start, and zeros there are noise once they are decrypted.
  const isNoise = dataFile === 'raw' && encryption !== 'none';
  return [
    ...(isNoise ? [{ kind: 'write', offset: 0, length: diskSize(one), value: 0 } as const] : []),
    { kind: 'write', offset: size - 512, length: 1024, value: 1 },
    { kind: 'write', offset: 2 * size, length: piece, value: 2 },
    { kind: 'zero', offset: 2 * size + piece - 512, length: 512, value: 0 },
    { kind: 'zero', offset: 3 * size, length: size, value: 0 },
    { kind: 'write', offset: 4 * size, length: size, value: 3 },
    { kind: 'discard', offset: 4 * size, length: size, value: 0 },
    { kind: compresses ? 'compress' : 'write', offset: 5 * size, length: size, value: 4 },
    { kind: compresses ? 'compress' : 'write', offset: 6 * size, length: size, value: 5 },
    { kind: 'write', offset: CLUSTERS * size, length: REST, value: 6 },
  ];
}

/** What another program does to it afterwards. */
export function secondHistory({ clusterSize: size }: Combination): Change[] {
  return [
    { kind: 'write', offset: 0, length: 256, value: 101 },
    { kind: 'write', offset: size - 512, length: 512, value: 102 },
    { kind: 'zero', offset: 2 * size, length: 512, value: 0 },
    { kind: 'write', offset: 3 * size, length: 512, value: 103 },
    { kind: 'write', offset: 5 * size + size / 2, length: 256, value: 104 },
    { kind: 'discard', offset: 6 * size, length: size, value: 0 },
    { kind: 'write', offset: 7 * size + 100, length: 300, value: 105 },
  ];
}

/** What the disk holds after changes. */
export function contentAfter(size: number, changes: readonly Change[]): Buffer {
  const bytes = Buffer.alloc(size);
  for (const { offset, length, value } of changes) bytes.fill(value, offset, offset + length);
  return bytes;
}

/** A stretch of one value. */
interface Run {
  readonly offset: number;
  readonly length: number;
  readonly value: number;
}

/** The content as the fewest stretches. */
export function runsOf(size: number, changes: readonly Change[]): Run[] {
  const ends = changes.flatMap(({ offset, length }) => [offset, offset + length]);
  const bounds = [...new Set([0, ...ends, size])].sort((a, b) => a - b);
  return bounds.slice(0, -1).map((offset, index) => {
    const end = bounds[index + 1] ?? size;
    const last = changes.findLast((each) => each.offset <= offset && end <= each.offset + each.length);
    return { offset, length: end - offset, value: last?.value ?? 0 };
  });
}
