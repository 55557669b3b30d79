import assert from 'node:assert/strict';
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { StagedStream } from './staged-stream.ts';

for (const [where, total] of [
  ['in memory', 900],
  ['in memory and a file', 10_700],
  ['in a file alone', 8 * 1024],
] as const) {
  test(`what is appended is read back: ${where}`, async () => {
    await using folder = await temporaryFolder();
    await using stream = new StagedStream(folder.join('layer'), 1024);
    const random = seededRandom(total);
    const all = Buffer.from(Array.from({ length: total }, () => Math.floor(random() * 256)));
    for (let at = 0; at < total; ) {
      const end = Math.min(total, at + 1 + Math.floor(random() * 3000));
      const part = Buffer.from(all.subarray(at, end));
      await stream.append(part);
      // The stream has a copy.
      part.fill(0);
      at = end;
    }
    assert.equal(stream.length, total);
    assert.deepEqual(await readdir(folder.path), [], 'a staged file has no name');
    for (let times = 0; times < 50; times += 1) {
      const start = Math.floor(random() * total);
      const into = Buffer.alloc(Math.floor(random() * (total - start)));
      await stream.read(into, start);
      assert.ok(into.equals(all.subarray(start, start + into.length)));
    }
    const pieces: Buffer[] = [];
    for await (const piece of stream.pieces()) pieces.push(Buffer.from(piece));
    assert.ok(Buffer.concat(pieces).equals(all));
    const drained: Buffer[] = [];
    for await (const piece of stream.drain()) drained.push(Buffer.from(piece));
    assert.ok(Buffer.concat(drained).equals(all));
    await stream.close();
    await stream.close();
  });
}

test('a stream whose folder is gone says so', async () => {
  await using folder = await temporaryFolder();
  await using stream = new StagedStream(folder.join('missing', 'layer'), 1024);
  await assert.rejects(stream.append(new Uint8Array(2000)), /missing/);
});

test('what was drained takes no storage any more', async () => {
  await using folder = await temporaryFolder();
  await using stream = new StagedStream(folder.join('layer'));
  const staged = 64 * 2 ** 20;
  for (let at = 0; at < staged; at += 2 ** 20) await stream.append(Buffer.alloc(2 ** 20, 7));
  // It has no name: found by its descriptor.
  const fds = readdirSync('/proc/self/fd').map((fd) => `/proc/self/fd/${fd}`);
  const own = fds.find((fd) => existsSync(fd) && readlinkSync(fd).startsWith(folder.join('layer')));
  assert.ok(own);
  const stored = (): number => statSync(own).blocks * 512;
  assert.ok(stored() > staged / 2, `${stored()} bytes staged`);
  for await (const _ of stream.drain());
  assert.ok(stored() < staged / 8, `${stored()} bytes left`);
});
