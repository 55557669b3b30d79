import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { allData, assertLayer, diskOf, writeNamedLayer } from '../../../test/support/layer-scene.ts';
import { succeed } from '../../../test/support/programs.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { decodeHeader } from '../header.ts';
import { writeLayer } from './write-layer.ts';

const CLUSTER = 65536;
const noise = (length: number) => randomBytes(length);
const text = (length: number, word: string) => Buffer.alloc(length, `${word} of a disk, `);

/** Text, noise, a hole, zeros, a repeated cluster, and an odd end. */
function mixedContent(): Buffer {
  const repeated = text(CLUSTER, 'again');
  const numbered = Array.from({ length: 40 }, (_, n) => text(CLUSTER, `piece ${n}`));
  return Buffer.concat([
    ...numbered,
    noise(5 * CLUSTER + 1000),
    Buffer.alloc(30 * CLUSTER),
    repeated,
    noise(512),
    repeated,
    repeated,
    Buffer.alloc(1536, 1),
  ]);
}

for (const compression of ['zstd', 'deflate', 'none'] as const) {
  for (const clusterSize of [512, 4096, 65536, 2 ** 21]) {
    test(`QEMU reads what was written: ${compression}, clusters of ${clusterSize}`, async () => {
      await using folder = await temporaryFolder();
      const content = mixedContent();
      const layer = await writeNamedLayer(folder.path, await diskOf(content), { compression, clusterSize });
      await assertLayer(layer, content);
      const info = JSON.parse(await succeed('qemu-img', ['info', '--output=json', layer.path]));
      assert.equal(info['cluster-size'], clusterSize);
      assert.equal(
        info['format-specific'].data['compression-type'],
        compression === 'zstd' ? 'zstd' : 'zlib',
      );
      assert.equal(info['format-specific'].data.compat, '1.1');
      assert.equal(info['format-specific'].data['refcount-bits'], 16);
    });
  }
}

test('metadata comes ahead of data, and clusters lie in guest order: plain ones, then compressed ones', async () => {
  await using folder = await temporaryFolder();
  const pieces = Array.from({ length: 20 }, (_, n) => (n % 3 === 0 ? noise(CLUSTER) : text(CLUSTER, `${n}`)));
  const { path } = await writeNamedLayer(folder.path, await diskOf(Buffer.concat(pieces)));
  const header = decodeHeader(await readFile(path));
  assert.deepEqual([header.l1Offset, header.refcountTableOffset], [CLUSTER, 3 * CLUSTER]);
  const map: { data: boolean; compressed: boolean; offset?: number }[] = JSON.parse(
    await succeed('qemu-img', ['map', '--output=json', path]),
  );
  const plain = map.filter(({ offset }) => offset !== undefined).map(({ offset }) => offset);
  assert.deepEqual(
    plain,
    Array.from({ length: 7 }, (_, n) => (5 + n) * CLUSTER),
  );
  const file = await readFile(path);
  const l2 = Array.from({ length: 20 }, (_, n) => file.readBigUInt64BE(2 * CLUSTER + 8 * n));
  const packed = l2.filter((_, n) => n % 3 !== 0);
  assert.ok(
    packed.every((entry) => entry >> 62n === 1n),
    'compressed, and COPIED is clear',
  );
  const offsets = packed.map((entry) => Number(entry & (2n ** 54n - 1n)));
  assert.equal(offsets[0], 12 * CLUSTER);
  assert.deepEqual(
    offsets,
    offsets.toSorted((a, b) => a - b),
  );
  assert.ok(
    l2.filter((_, n) => n % 3 === 0).every((entry) => entry >> 63n === 1n),
    'plain, and COPIED is set',
  );
});

test('equal clusters share their data, compressed and plain', async () => {
  await using folder = await temporaryFolder();
  const [a, b] = [noise(CLUSTER), text(CLUSTER, 'same')];
  const content = Buffer.concat([a, b, a, a, b, text(CLUSTER, 'other'), b]);
  const layer = await writeNamedLayer(folder.path, await diskOf(content));
  await assertLayer(layer, content);
  assert.deepEqual(
    { ...layer.summary, digest: '', fileSize: 0 },
    {
      digest: '',
      fileSize: 0,
      dataClusters: 7,
      zeroClusters: 0,
      sharedClusters: 4,
      equalClusters: 0,
      equalDataClusters: 0,
    },
  );
  assert.ok(layer.summary.fileSize < 7 * CLUSTER);
});

for (const compression of ['zstd', 'none'] as const) {
  test(`a content that 66,000 clusters have is stored as often as refcounts need: ${compression}`, async () => {
    await using folder = await temporaryFolder();
    const content = Buffer.alloc(66_000 * 512, text(512, 'one'));
    const layer = await writeNamedLayer(folder.path, await diskOf(content), {
      compression,
      clusterSize: 512,
    });
    await assertLayer(layer, content);
    assert.equal(layer.summary.dataClusters - layer.summary.sharedClusters, 2);
  });
}

test('contents that fill one host cluster share its refcount, and no more than it can count', async () => {
  await using folder = await temporaryFolder();
  const contents = Array.from({ length: 10 }, (_, n) => Buffer.alloc(512, 65 + n));
  const content = Buffer.concat(
    Array.from({ length: 66_000 }, (_, n) => contents[n % 10] ?? Buffer.alloc(512)),
  );
  const layer = await writeNamedLayer(folder.path, await diskOf(content), { clusterSize: 512 });
  await assertLayer(layer, content);
  assert.ok(layer.summary.sharedClusters > 65_900);
});

test('sizes that fill no cluster, and a source that is shorter than its disk', async () => {
  await using folder = await temporaryFolder();
  for (const [length, size] of [
    [0, 0],
    [0, 512],
    [1, 512],
    [1000, 1024],
    [CLUSTER + 1, 3 * CLUSTER],
    [700, 2 ** 40],
    [CLUSTER, 512],
  ] as const) {
    const source = await diskOf(text(length, 'odd'));
    const ranges = allData(size);
    const layer = await writeNamedLayer(folder.path, source, { size, ranges });
    const content = Buffer.alloc(Math.min(size, 2 ** 20));
    text(length, 'odd').copy(content);
    if (size <= content.length) await assertLayer(layer, content);
    else await succeed('qemu-img', ['check', layer.path]);
  }
});

test('progress ascends to the size of the disk', async () => {
  await using folder = await temporaryFolder();
  const source = await diskOf(mixedContent());
  const seen: number[] = [];
  const size = Math.ceil(source.size / 512) * 512;
  await writeNamedLayer(folder.path, source, {
    onProgress: ({ done, total }) => {
      assert.equal(total, size);
      seen.push(done);
    },
  });
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.equal(seen.at(-1), size);
  assert.ok(seen.length > 3 && seen.length < 100);
});

test('a file that is there is left alone', async () => {
  await using folder = await temporaryFolder();
  const layer = await writeNamedLayer(folder.path, await diskOf(text(CLUSTER, 'a')));
  await writeFile(folder.join('other'), 'precious');
  const options = {
    size: 512,
    source: await diskOf(Buffer.alloc(512)),
    ranges: allData(512),
    compression: 'none',
  } as const;
  await assert.rejects(writeLayer(folder.join('other'), options), { code: 'exists' });
  assert.equal(await readFile(folder.join('other'), 'utf8'), 'precious');
  await assert.rejects(writeLayer(layer.path, options), { code: 'exists' });
});
