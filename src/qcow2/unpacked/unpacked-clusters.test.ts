import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { succeed } from '../../../test/support/programs.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { openScratchFile } from '../../host/index.ts';
import { CacheBudget } from '../bounded-cache.ts';
import { denyBacking, openQcow2 } from '../index.ts';
import { SpillFile } from './spill-file.ts';
import { UnpackedClusters } from './unpacked-clusters.ts';

const CLUSTER = 64 * 1024;

/** Files without a name that this process has open, of the kind that clusters go to. */
function scratchFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /calve-[0-9a-f]{16}\.tmp \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // of readdir itself
    }
  }).length;
}

describe('unpacked clusters', () => {
  it('lie in a file when they were unpacked a second time, until they are forgotten', async () => {
    const spill = new SpillFile(16 * CLUSTER, () => openScratchFile(1));
    const clusters = new UnpackedClusters(new CacheBudget(CLUSTER), CLUSTER, spill);
    const into = Buffer.alloc(10);
    const isKept = (host: number, fill: number): boolean =>
      clusters.tryRead(host, into, 500) && into.equals(Buffer.alloc(10, fill));
    const keep = async (host: number, fill: number): Promise<void> => {
      clusters.keep(host, Buffer.alloc(CLUSTER, fill));
      await new Promise((resolve) => setImmediate(resolve));
    };
    await keep(1, 1);
    await keep(2, 2);
    assert.ok(!isKept(1, 1) && isKept(2, 2));
    // The file is opened at the first need, and left alone while it looks slow.
    for (let round = 0; round < 10_000 && !(isKept(1, 1) && isKept(2, 2) && isKept(3, 3)); round += 1) {
      for (const host of [1, 2, 3]) await keep(host, host);
    }
    assert.ok(isKept(1, 1) && isKept(2, 2) && isKept(3, 3));
    assert.ok(await clusters.read(1, into, 0));
    clusters.forget(1);
    assert.ok(!isKept(1, 1) && !(await clusters.read(1, into, 0)));
    await keep(1, 4);
    assert.ok(isKept(1, 4));
    await clusters.close();
    assert.ok(!isKept(1, 4) && !isKept(2, 2) && !isKept(3, 3));
  });

  it('of an image that is read all over again come out of the file, which goes with the image', async () => {
    await using folder = await temporaryFolder();
    const bytes = Buffer.alloc(64 * CLUSTER);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((at / 4096) * 4097 + (at % 4096), at);
    const [raw, path] = [folder.join('disk.raw'), folder.join('disk.qcow2')];
    await writeFile(raw, bytes);
    await succeed('qemu-img', ['convert', '-c', '-O', 'qcow2', raw, path]);
    for (const spill of [true, false]) {
      const before = scratchFiles();
      await using disk = await openQcow2(path, { backing: denyBacking, clusterBytes: 4 * CLUSTER, spill });
      for (let round = 0; round < 4; round += 1) {
        for (let block = 0; block < bytes.length / 4096; block += 1) {
          // Neighbours lie in other clusters.
          const at = ((block * 17) % (bytes.length / 4096)) * 4096;
          const into = Buffer.alloc(4096);
          if (disk.tryRead?.(into, at) !== true) await disk.read(into, at);
          assert.ok(into.equals(bytes.subarray(at, at + 4096)), `at ${at} in round ${round}`);
        }
      }
      assert.equal(scratchFiles() - before, spill ? 1 : 0);
      await disk.close();
      assert.equal(scratchFiles(), before);
    }
  });
});
