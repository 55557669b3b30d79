import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { allData, diskOf } from '../../../test/support/layer-scene.ts';
import { run } from '../../../test/support/programs.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { type LayerOptions, writeLayer } from './write-layer.ts';

const SIZE = 24 * 2 ** 20;
const HEX = 'ab'.repeat(32);

async function optionsFor(source: Disk): Promise<LayerOptions> {
  return { size: SIZE, source, ranges: allData(SIZE), compression: 'zstd' };
}

const noiseDisk = () => diskOf(Buffer.alloc(SIZE, randomBytes(2 ** 20)));

/** Every cluster is another one. */
async function variedDisk(): Promise<Disk> {
  const bytes = Buffer.alloc(SIZE, 'a text ');
  for (let at = 0; at < SIZE; at += 4096) bytes.writeUInt32LE(at + 1, at);
  return diskOf(bytes);
}

for (const moment of [0, 5, 'last'] as const) {
  test(`an abort leaves nothing: at progress ${moment}`, async () => {
    await using folder = await temporaryFolder();
    const controller = new AbortController();
    let count = 0;
    const options = await optionsFor(await variedDisk());
    const writing = writeLayer(folder.join('layer'), {
      ...options,
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (moment === 'last' ? done === SIZE : count++ === moment) controller.abort(new Error('enough'));
      },
    });
    await assert.rejects(writing, (error) => {
      return CalveError.is(error, 'aborted') && error.cause === controller.signal.reason;
    });
    assert.deepEqual(await readdir(folder.path), []);
  });
}

test('an abort ahead of all leaves nothing', async () => {
  await using folder = await temporaryFolder();
  const options = await optionsFor(await noiseDisk());
  const writing = writeLayer(folder.join('layer'), { ...options, signal: AbortSignal.abort() });
  await assert.rejects(writing, (error) => CalveError.is(error, 'aborted'));
  assert.deepEqual(await readdir(folder.path), []);
});

test('a source that cannot be read, or whose ranges fail, leaves nothing', async () => {
  await using folder = await temporaryFolder();
  const good = await variedDisk();
  const bad: Disk = {
    size: SIZE,
    async read(into, offset) {
      if (offset > SIZE / 2) throw new CalveError('io', 'a bad sector');
      await good.read(into, offset);
    },
    close: () => good.close(),
    [Symbol.asyncDispose]: () => good.close(),
  };
  async function* ranges(): LayerOptions['ranges'] extends AsyncIterable<infer E>
    ? AsyncGenerator<E>
    : never {
    yield { offset: 0, length: SIZE / 2, kind: 'data', depth: 0 };
    throw new CalveError('corrupt', 'an L2 table lies outside the file');
  }
  await assert.rejects(writeLayer(folder.join('layer'), await optionsFor(bad)), /a bad sector/);
  await assert.rejects(
    writeLayer(folder.join('layer'), { ...(await optionsFor(good)), ranges: ranges() }),
    /outside/,
  );
  assert.deepEqual(await readdir(folder.path), []);
});

test('a compressing thread that is killed fails the write and leaves nothing', async () => {
  await using folder = await temporaryFolder();
  process.once('worker', (worker: Worker) => worker.terminate());
  // No other test's clusters are so large, so no thread that one of them left can be used again.
  const clusterSize = 2 ** 19;
  const options = { ...(await optionsFor(await variedDisk())), threads: 1, clusterSize };
  const writing = writeLayer(folder.join('layer'), options);
  await assert.rejects(writing, (error) => CalveError.is(error, 'io') && /thread/.test(error.message));
  assert.deepEqual(await readdir(folder.path), []);
});

// A file may have a megabyte at most. What is staged of the second layer fits in memory; its metadata alone is larger.
for (const [what, length] of [
  ['staged', 8 * 2 ** 20],
  ['emitted', 300_000],
] as const) {
  test(`a write that fails leaves nothing: data being ${what}`, async () => {
    await using folder = await temporaryFolder();
    const source = folder.join('source.raw');
    await writeFile(source, randomBytes(length));
    const module = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
    const program = `
      import { extentsOf, openRawDisk } from ${module('../../disk/index.ts')};
      import { writeLayer } from ${module('./write-layer.ts')};
      const source = await openRawDisk(${JSON.stringify(source)});
      const size = Math.ceil(source.size / 512) * 512;
      const ranges = extentsOf(source, 0, source.size);
      const path = ${JSON.stringify(folder.join('layer'))};
      await writeLayer(path, { size, source, ranges, compression: 'zstd', clusterSize: 2 ** 21 }).catch((error) => {
        console.log(error.code, error.data.errno);
      });`;
    const limited = 'trap "" XFSZ; ulimit -f 1024; exec "$0" --input-type=module --eval "$1"';
    const ran = await run('/bin/sh', ['-c', limited, process.execPath, program]);
    assert.equal(ran.stdout, 'io EFBIG\n', ran.stderr);
    assert.deepEqual(await readdir(folder.path), ['source.raw']);
  });
}

test('options that cannot be are refused before anything is made', async () => {
  await using folder = await temporaryFolder();
  const source = await diskOf(Buffer.alloc(SIZE));
  const good = await optionsFor(source);
  const refused: [Partial<LayerOptions>, RegExp][] = [
    [{ size: 1000 }, /size: expected a multiple of 512, got 1000/],
    [{ clusterSize: 1000 }, /clusterSize: expected a power of two/],
    [{ level: 23 }, /level of zstd from 1 to 22/],
    [{ compression: 'deflate', level: 10 }, /level of deflate from 1 to 9/],
    [{ parent: source }, /one of the two/],
    [{ backingFile: HEX }, /one of the two/],
    [{ parent: source, backingFile: '../base.qcow2' }, /64 hex digits/],
    [{ threads: 0 }, /threads/],
  ];
  for (const [options, message] of refused) {
    await assert.rejects(writeLayer(folder.join('layer'), { ...good, ...options }), (error) => {
      return CalveError.is(error) && message.test(error.message);
    });
  }
  await assert.rejects(writeLayer(folder.join('layer'), { ...good, ranges: allData(SIZE + 1) }), /ranges/);
  assert.deepEqual(await readdir(folder.path), []);
});
