import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { extentsOf, MemoryDisk } from '../disk/index.ts';
import { copyDisk } from './index.ts';

const MIB = 1 << 20;

async function contents(disk: MemoryDisk): Promise<Buffer> {
  const all = Buffer.alloc(disk.size);
  await disk.read(all, 0);
  return all;
}

async function sampleDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk(5 * MIB + 512);
  await disk.write(randomBytes(100_000), 10_000);
  await disk.write(Buffer.alloc(2 * MIB), 2 * MIB);
  await disk.write(randomBytes(512), 5 * MIB);
  return disk;
}

test('a copy reads as its source, over whatever the target held', async () => {
  const source = await sampleDisk();
  const target = new MemoryDisk(6 * MIB);
  await target.write(Buffer.alloc(6 * MIB, 0xaa), 0);
  const progress: number[] = [];
  await copyDisk(source, target, { onProgress: (done) => progress.push(done) });
  const copied = await contents(target);
  assert.ok(copied.subarray(0, source.size).equals(await contents(source)));
  assert.ok(
    copied.subarray(source.size).every((byte) => byte === 0xaa),
    'what lies past the source stays',
  );
  assert.equal(progress.at(-1), source.size);
});

test('zeros inside data are not written to a target that reads zeros', async () => {
  const source = await sampleDisk();
  const target = new MemoryDisk(source.size);
  await copyDisk(source, target, { targetIsZero: true });
  assert.ok((await contents(target)).equals(await contents(source)));
  for await (const extent of extentsOf(target, 2 * MIB, 2 * MIB)) assert.equal(extent.kind, 'unallocated');
});

test('a target that is too small is refused before anything is written', async () => {
  const target = new MemoryDisk(MIB);
  await assert.rejects(copyDisk(await sampleDisk(), target), { code: 'out-of-range' });
  assert.ok((await contents(target)).every((byte) => byte === 0));
});

test('an aborted copy ends with `aborted`', async () => {
  const controller = new AbortController();
  const copying = copyDisk(await sampleDisk(), new MemoryDisk(6 * MIB), {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await assert.rejects(copying, { code: 'aborted' });
});
