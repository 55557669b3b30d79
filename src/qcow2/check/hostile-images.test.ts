import assert from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startNode } from '../../../test/support/node.ts';
import { report, succeed } from '../../../test/support/programs.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { checkQcow2 } from './check-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const MEASURE = fileURLToPath(new URL('../../../test/support/measure-check.ts', import.meta.url));

interface Verdict {
  readonly code?: string;
  readonly corruptions?: number;
  readonly leaks?: number;
  readonly seconds: number;
  readonly megabytes: number;
}

async function measure(path: string, what: 'check' | 'repair' = 'check'): Promise<Verdict> {
  const small = folder.join('small');
  await writeFile(small, encodeEmptyImage({ size: 2 ** 20 }));
  const ran = await startNode(MEASURE, [path, small, what]).ended;
  assert.equal(ran.code, 0, report(ran));
  return JSON.parse(ran.stdout);
}

/** A file that is all holes but for its first bytes and some 64-bit words. */
async function sparse(
  name: string,
  bytes: Uint8Array,
  length: number,
  words: [number, bigint][],
): Promise<string> {
  const path = folder.join(name);
  const file = await open(path, 'w');
  await file.write(bytes);
  for (const [at, word] of words) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64BE(word);
    await file.write(buffer, 0, 8, at);
  }
  await file.truncate(length);
  await file.close();
  return path;
}

/** The header of an image, with other fields. */
function header(options: { size: number; clusterSize?: number }, change: (header: Buffer) => void): Buffer {
  const bytes = Buffer.from(encodeEmptyImage(options));
  change(bytes);
  return bytes;
}

const COPIED = 1n << 63n;
const MIB = 2 ** 20;

describe('a hostile image costs neither time nor memory', () => {
  it('that is a megabyte and claims a petabyte', async () => {
    const bytes = header({ size: MIB }, (header) => {
      header.writeBigUInt64BE(2n ** 50n, 24);
      header.writeUInt32BE(2 ** 21, 36);
    });
    const { corruptions, seconds, megabytes } = await measure(await sparse('claims', bytes, MIB, []));
    assert.equal(corruptions, 1, 'the L1 table');
    assert.ok(seconds < 1 && megabytes < 64, `${seconds} s, ${megabytes} MiB`);
  });

  it('that is a hole of eight terabytes', async () => {
    const bytes = encodeEmptyImage({ size: MIB });
    const { corruptions, leaks, seconds, megabytes } = await measure(
      await sparse('hole', bytes, 2 ** 43, []),
    );
    assert.deepEqual([corruptions, leaks], [0, 0]);
    assert.ok(seconds < 5 && megabytes < 96, `${seconds} s, ${megabytes} MiB`);
  });

  it('that is a hole of more clusters than there can be', async () => {
    const bytes = encodeEmptyImage({ size: MIB, clusterSize: 512 });
    const { code, seconds } = await measure(await sparse('clusters', bytes, 2 ** 41, []));
    assert.equal(code, 'out-of-range');
    assert.ok(seconds < 1);
  });

  it('whose four million L1 entries all lead to one L2 table', async () => {
    const clusterSize = 2 * MIB;
    // Header, refcount table and block, then the L1 table, then the one L2 table, which leads to itself throughout.
    const l1 = 3 * clusterSize;
    const l2 = l1 + 32 * MIB;
    const bytes = Buffer.alloc(l2 + 2 * clusterSize);
    bytes.set(encodeEmptyImage({ size: MIB, clusterSize }));
    bytes.writeUInt32BE(2 ** 22, 36);
    for (let at = l1; at < l2; at += 8) bytes.writeBigUInt64BE(BigInt(l2) | COPIED, at);
    for (let at = l2; at < l2 + clusterSize; at += 8) bytes.writeBigUInt64BE(BigInt(l2 + clusterSize), at);
    const path = folder.join('one-table');
    await writeFile(path, bytes);
    const { corruptions, seconds, megabytes } = await measure(path);
    assert.ok((corruptions ?? 0) > 2);
    assert.ok(seconds < 2 && megabytes < 150, `${seconds} s, ${megabytes} MiB`);
  });

  it('whose L1 entries lead to as many places, where no table can be', async () => {
    const clusterSize = 2 * MIB;
    const l1 = 3 * clusterSize;
    const bytes = Buffer.alloc(l1 + 32 * MIB);
    bytes.set(encodeEmptyImage({ size: MIB, clusterSize }));
    bytes.writeUInt32BE(2 ** 20, 36);
    for (let at = l1; at < bytes.length; at += 8) bytes.writeBigUInt64BE(BigInt((at - l1) * 64), at);
    const path = folder.join('many-places');
    await writeFile(path, bytes);
    const { corruptions, seconds, megabytes } = await measure(path);
    assert.ok((corruptions ?? 0) > 2 ** 20);
    assert.ok(seconds < 4 && megabytes < 150, `${seconds} s, ${megabytes} MiB`);
    bytes.writeUInt32BE(2 ** 22, 36);
    await writeFile(path, bytes);
    const four = await measure(path);
    assert.equal(four.code, 'out-of-range');
    assert.ok(four.seconds < 4 && four.megabytes < 150, `${four.seconds} s, ${four.megabytes} MiB`);
  });

  it('whose 65,536 snapshots have L1 tables of 32 MiB, all overlapping', async () => {
    const clusterSize = 512;
    const table = 64 * MIB;
    const bytes = header({ size: MIB, clusterSize }, (header) => {
      header.writeUInt32BE(65_536, 60);
      header.writeBigUInt64BE(BigInt(table), 64);
    });
    const path = await sparse('snapshots', bytes, table + 56 * 65_536, []);
    const snapshots = Buffer.alloc(56 * 65_536);
    for (let index = 0; index < 65_536; index += 1) {
      snapshots.writeBigUInt64BE(BigInt(MIB + index * clusterSize), index * 56);
      snapshots.writeUInt32BE(2 ** 22, index * 56 + 8);
      snapshots.writeUInt32BE(16, index * 56 + 36);
    }
    const file = await open(path, 'r+');
    await file.write(snapshots, 0, snapshots.length, table);
    await file.close();
    const { corruptions, seconds, megabytes } = await measure(path);
    assert.ok((corruptions ?? 0) > 100_000);
    assert.ok(seconds < 5 && megabytes < 256, `${seconds} s, ${megabytes} MiB`);
  });

  it('whose 65,536 snapshots have L1 tables far behind its end', async () => {
    const bytes = header({ size: MIB }, (header) => {
      header.writeUInt32BE(65_536, 60);
      header.writeBigUInt64BE(BigInt(MIB), 64);
    });
    const path = await sparse('behind', bytes, 5 * MIB, []);
    const snapshots = Buffer.alloc(56 * 65_536);
    for (let index = 0; index < 65_536; index += 1) {
      snapshots.writeBigUInt64BE(2n ** 40n + BigInt(index) * 2n ** 25n, index * 56);
      snapshots.writeUInt32BE(2 ** 22, index * 56 + 8);
      snapshots.writeUInt32BE(16, index * 56 + 36);
    }
    const file = await open(path, 'r+');
    await file.write(snapshots, 0, snapshots.length, MIB);
    await file.close();
    const { corruptions, seconds } = await measure(path);
    // The three clusters of the image, the snapshot table, and each of the L1 tables.
    assert.ok((corruptions ?? 0) >= 65_536);
    assert.ok(seconds < 4, `${seconds} s`);
  });

  it('whose refcounts cannot be rebuilt within reason', async () => {
    const bytes = header({ size: MIB }, (header) => header.writeBigUInt64BE(0n, 65_536));
    const path = await sparse('rebuild', bytes, 2 ** 42, []);
    const { code, seconds, megabytes } = await measure(path, 'repair');
    assert.equal(code, 'out-of-range');
    assert.ok(seconds < 3 && megabytes < 96, `${seconds} s, ${megabytes} MiB`);
  });
});

describe('a million clusters', async () => {
  const path = folder.join('million');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'preallocation=metadata', path, '62G']);

  it('are checked within 64 MiB', async () => {
    const { corruptions, leaks, megabytes } = await measure(path);
    assert.deepEqual([corruptions, leaks], [0, 0]);
    assert.ok(megabytes < 64, `${megabytes} MiB`);
  });

  it('let others run meanwhile, who may end the check', async () => {
    const ending = new AbortController();
    // From the first table on there is nothing left to wait for: all the others lie in the page cache.
    const onProgress = () => void setTimeout(() => ending.abort(), 0);
    await checkQcow2(path);
    await assert.rejects(checkQcow2(path, { signal: ending.signal, onProgress }), { code: 'aborted' });
  });
});
