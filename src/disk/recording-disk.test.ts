import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { qemuImgCompare } from '../../test/support/qemu.ts';
import { seededRandom } from '../../test/support/random.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { delayedDisk, faultyDisk, MemoryDisk, openRawDisk, recordingDisk, replay } from './index.ts';

diskContract('a recording disk', async (size) => recordingDisk(new MemoryDisk(size)));

describe('recordingDisk', () => {
  it('keeps what changes the disk, in order, with contents, and no reads', async () => {
    await using disk = recordingDisk(new MemoryDisk(8192));
    const from = Buffer.from('some bytes');
    await disk.write(from, 100);
    from.fill(0);
    await disk.read(Buffer.alloc(10), 100);
    await disk.writeZeroes?.(200, 300);
    await disk.flush();
    await disk.discard?.(1000, 50);
    await disk.resize?.(4096);
    assert.deepEqual(
      disk.log.operations.map(({ kind, offset, length }) => [kind, offset, length]),
      [
        ['write', 100, 10],
        ['writeZeroes', 200, 300],
        ['flush', 0, 0],
        ['discard', 1000, 50],
        ['resize', 0, 4096],
      ],
    );
    const [write] = disk.log.operations;
    assert.equal(Buffer.from(write?.contents?.slice() ?? []).toString(), 'some bytes');
  });

  it('keeps when each operation began and ended', async () => {
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const slow = delayedDisk(new MemoryDisk(512), ({ index }) => gates[index]?.promise);
    await using disk = recordingDisk(slow);
    const write = disk.write(Buffer.of(1), 0);
    const flush = disk.flush();
    gates[1]?.resolve();
    await flush;
    gates[0]?.resolve();
    await write;
    gates[2]?.resolve();
    await disk.write(Buffer.of(2), 0);
    assert.deepEqual(
      disk.log.operations.map(({ kind, begun, ended }) => [kind, begun, ended]),
      [
        ['write', 0, 3],
        ['flush', 1, 2],
        ['write', 4, 5],
      ],
    );
    assert.equal(disk.log.moment, 6);
  });

  it('knows no end of what failed, and nothing of what was refused before it reached the disk', async () => {
    const failing = faultyDisk(new MemoryDisk(512), () => ({ code: 'io' }));
    await using disk = recordingDisk(failing);
    await assert.rejects(disk.write(Buffer.of(1), 0), { code: 'io' });
    await assert.rejects(disk.write(Buffer.of(1), 512), { code: 'out-of-range' });
    await assert.rejects(async () => disk.resize?.(-1), { code: 'out-of-range' });
    assert.deepEqual(
      disk.log.operations.map(({ kind, ended }) => [kind, ended]),
      [['write', Number.POSITIVE_INFINITY]],
    );
  });

  it('keeps all that a replay onto another file takes to become equal', async () => {
    await using folder = await temporaryFolder();
    const [recorded, replayed] = [folder.join('recorded'), folder.join('replayed')];
    for (const path of [recorded, replayed]) {
      await writeFile(path, '');
      await truncate(path, 1 << 20);
    }
    const random = seededRandom(3);
    const upTo = (limit: number) => Math.floor(random() * limit);
    await using disk = recordingDisk(await openRawDisk(recorded, { writable: true }));
    for (let step = 0; step < 60; step += 1) {
      const offset = upTo(1 << 19);
      const length = upTo(1 << 17);
      const verb = upTo(4);
      if (verb === 0) await disk.writeZeroes?.(offset, length);
      else if (verb === 1) await disk.discard?.(offset, length);
      else await disk.write(Buffer.alloc(length, Buffer.from([step, 1, 2, step])), offset);
      if (step === 30) await disk.resize?.((1 << 19) + (1 << 18));
    }
    await using other = await openRawDisk(replayed, { writable: true });
    await replay(disk.log, disk.log.moment, new Set(), other);
    await Promise.all([disk.close(), other.close()]);
    await qemuImgCompare(recorded, 'raw', replayed, 'raw');
  });
});
