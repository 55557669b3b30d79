import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { allData, diskOf, writeNamedLayer } from '../../../test/support/layer-scene.ts';
import { succeed } from '../../../test/support/programs.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Extent, openRawDisk } from '../../disk/index.ts';
import { denyBacking, openQcow2 } from '../index.ts';

const CLUSTER = 65536;

/** 24 MiB, half of it holes and zeros: enough for several threads, and for files that do not fit in memory. */
function content(): Buffer {
  const noise = randomBytes(2 * 2 ** 20);
  const text = Buffer.alloc(4 * 2 ** 20);
  for (let at = 0; at < text.length; at += 64)
    text.write(`line ${(at * 7919) % 100_003} of a text that packs well `, at);
  return Buffer.concat([
    text,
    Buffer.alloc(6 * 2 ** 20),
    noise,
    text.subarray(1000),
    noise,
    Buffer.alloc(6 * 2 ** 20 + 1000),
  ]);
}

/** The whole disk in random pieces, which may overlap; zeros may be told as such. */
async function* pieces(bytes: Buffer, seed: number): AsyncGenerator<Extent> {
  const random = seededRandom(seed);
  for (let offset = 0; offset < bytes.length; ) {
    const length = Math.min(bytes.length - offset, 1 + Math.floor(random() * 300_000));
    const isZero = bytes.subarray(offset, offset + length).every((byte) => byte === 0);
    yield { offset, length, kind: isZero && random() < 0.7 ? 'unallocated' : 'data', depth: 0 };
    offset += Math.max(1, Math.floor(length * (random() < 0.5 ? 1 : random())));
  }
}

test('a sparse raw file, a full one, an image of it, and any cut of the ranges make the same layer', async () => {
  await using folder = await temporaryFolder();
  const bytes = content();
  const [full, sparse, image] = [
    folder.join('full.raw'),
    folder.join('sparse.raw'),
    folder.join('disk.qcow2'),
  ];
  for (const path of [full, sparse]) {
    await using file = await open(path, 'wx');
    if (path === sparse) await file.truncate(bytes.length);
    for (let at = 0; at < bytes.length; at += CLUSTER) {
      const cluster = bytes.subarray(at, at + CLUSTER);
      if (path === full || cluster.some((byte) => byte !== 0))
        await file.write(cluster, 0, cluster.length, at);
    }
  }
  await succeed('qemu-img', ['convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4096', sparse, image]);
  const digests: string[] = [];
  for (const path of [full, sparse]) {
    await using source = await openRawDisk(path);
    digests.push((await writeNamedLayer(folder.path, source)).hex);
  }
  await using source = await openQcow2(image, { backing: denyBacking });
  digests.push((await writeNamedLayer(folder.path, source)).hex);
  const memory = await diskOf(bytes);
  const size = source.size;
  digests.push((await writeNamedLayer(folder.path, memory, { size, ranges: allData(bytes.length) })).hex);
  for (const seed of [1, 2, 3]) {
    digests.push((await writeNamedLayer(folder.path, memory, { size, ranges: pieces(bytes, seed) })).hex);
  }
  assert.equal(new Set(digests).size, 1, digests.join('\n'));
});

for (const compression of ['zstd', 'deflate'] as const) {
  test(`any number of threads makes the same layer: ${compression}`, async () => {
    await using folder = await temporaryFolder();
    const source = await diskOf(content());
    const digests: string[] = [];
    for (const threads of [1, 2, 3, 5]) {
      digests.push(
        (await writeNamedLayer(folder.path, source, { compression, threads, clusterSize: 16384 })).hex,
      );
    }
    assert.equal(new Set(digests).size, 1, digests.join('\n'));
  });
}

test('other settings make another layer', async () => {
  await using folder = await temporaryFolder();
  const source = await diskOf(Buffer.alloc(4 * CLUSTER, 'some text'));
  const hexes = await Promise.all([
    writeNamedLayer(folder.path, source),
    writeNamedLayer(folder.path, source, { compression: 'deflate' }),
    writeNamedLayer(folder.path, source, { compression: 'none' }),
    writeNamedLayer(folder.path, source, { clusterSize: 4096 }),
    writeNamedLayer(folder.path, source, { size: 5 * CLUSTER }),
  ]);
  assert.equal(new Set(hexes.map(({ hex }) => hex)).size, hexes.length);
});
