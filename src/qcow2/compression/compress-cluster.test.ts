import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { libzstdIfAny } from '../../host/index.ts';
import { clusterCompressor } from './compress-cluster.ts';
import { decompressCluster } from './decompress-cluster.ts';

/** The compressed bytes; none where it is no gain. */
function compress(cluster: Uint8Array, level: number, library: null | undefined): Buffer {
  const into = Buffer.alloc(cluster.length);
  const codec = { compression: 'zstd', level, clusterSize: cluster.length } as const;
  return into.subarray(0, clusterCompressor(codec, library)(cluster, into));
}

test('libzstd can be called in the Node that calve is developed with', () => {
  assert.ok(libzstdIfAny());
});

test('libzstd compresses to the bytes that node:zlib does, whatever was compressed before', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.integer({ min: 9, max: 17 }),
      fc.integer({ min: 1, max: 19 }),
      (pattern, bits, level) => {
        const cluster = Buffer.alloc(2 ** bits, pattern);
        cluster.set(randomBytes(Math.min(400, cluster.length / 4)), cluster.length / 2);
        const bytes = compress(cluster, level, undefined);
        assert.ok(bytes.equals(compress(cluster, level, null)));
        if (bytes.length === 0) return;
        const unpacked = Buffer.alloc(cluster.length);
        decompressCluster('zstd', bytes, unpacked);
        assert.ok(unpacked.equals(cluster));
      },
    ),
    { numRuns: 60 },
  );
});

test('a cluster that compression makes no smaller is left', () => {
  for (const library of [undefined, null]) assert.equal(compress(randomBytes(65_536), 3, library).length, 0);
});

test('what libzstd takes is given back, and taken again when it is needed', () => {
  const cluster = Buffer.alloc(65_536, 'text ');
  const before = compress(cluster, 3, undefined);
  libzstdIfAny()?.release();
  libzstdIfAny()?.release();
  assert.ok(compress(cluster, 3, undefined).equals(before));
});
