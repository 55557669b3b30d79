import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { CalveError } from '../errors/index.ts';
import type { DiskOperation } from './disk-operation.ts';
import { faultyDisk } from './faulty-disk.ts';
import { MemoryDisk } from './memory-disk.ts';

diskContract('a faulty disk without faults', async (size) =>
  faultyDisk(new MemoryDisk(size), () => undefined),
);

describe('faultyDisk', () => {
  it('asks about each operation, once, in order', async () => {
    const asked: DiskOperation[] = [];
    await using disk = faultyDisk(new MemoryDisk(8192), (operation) => {
      asked.push(operation);
      return undefined;
    });
    await disk.read(Buffer.alloc(7), 1);
    await disk.write(Buffer.alloc(8), 2);
    disk.tryRead?.(Buffer.alloc(9), 3);
    await disk.writeZeroes?.(4, 10);
    await disk.discard?.(5, 11);
    await Array.fromAsync(disk.extents?.(6, 12) ?? []);
    await disk.flush();
    await disk.resize?.(4096);
    assert.deepEqual(
      asked.map(({ index, kind, offset, length }) => [index, kind, offset, length]),
      [
        [0, 'read', 1, 7],
        [1, 'write', 2, 8],
        [2, 'read', 3, 9],
        [3, 'writeZeroes', 4, 10],
        [4, 'discard', 5, 11],
        [5, 'extents', 6, 12],
        [6, 'flush', 0, 0],
        [7, 'resize', 0, 4096],
      ],
    );
  });

  it('does not ask about what never reaches the disk', async () => {
    let asked = 0;
    const memory = new MemoryDisk(512);
    const declining = Object.assign(memory, { tryRead: () => false });
    await using disk = faultyDisk(declining, () => {
      asked += 1;
      return undefined;
    });
    assert.equal(disk.tryRead?.(Buffer.alloc(1), 0), false);
    await assert.rejects(disk.read(Buffer.alloc(1), 512), { code: 'out-of-range' });
    assert.equal(asked, 0);
  });

  it('fails any operation as planned, and has done nothing of it', async () => {
    const memory = new MemoryDisk(4096);
    await memory.write(Buffer.alloc(4096, 9), 0);
    await using disk = faultyDisk(memory, ({ kind, index }) => ({
      code: index % 2 === 0 ? 'io' : 'no-space',
      // Nothing is done of half a read, flush or resize.
      torn: kind.startsWith('write') || kind === 'discard' ? 0 : 1,
    }));
    const uses: (() => Promise<unknown>)[] = [
      () => disk.read(Buffer.alloc(1), 0),
      () => disk.write(Buffer.alloc(512), 0),
      async () => disk.tryRead?.(Buffer.alloc(1), 0),
      async () => disk.writeZeroes?.(0, 512),
      async () => disk.discard?.(0, 512),
      async () => Array.fromAsync(disk.extents?.(0, 1) ?? []),
      () => disk.flush(),
      async () => disk.resize?.(512),
    ];
    for (const [index, use] of uses.entries()) {
      await assert.rejects(use, { code: index % 2 === 0 ? 'io' : 'no-space' }, `use ${index}`);
    }
    assert.equal(memory.size, 4096);
    const found = Buffer.alloc(4096);
    await memory.read(found, 0);
    assert.ok(found.equals(Buffer.alloc(4096, 9)));
  });

  it('tears writes: a prefix reaches the disk', async () => {
    const memory = new MemoryDisk(4096);
    await memory.write(Buffer.alloc(4096, 9), 0);
    await using disk = faultyDisk(memory, ({ index }) => ({
      code: 'io',
      torn: [100, 50, 10_000, 10_000][index] ?? 0,
    }));
    await assert.rejects(disk.write(Buffer.alloc(512, 1), 0), { code: 'io' });
    await assert.rejects(async () => disk.writeZeroes?.(1000, 512), { code: 'io' });
    await assert.rejects(disk.write(Buffer.alloc(512, 2), 2000), { code: 'io' });
    await assert.rejects(async () => disk.discard?.(2600, 300), { code: 'io' });
    await assert.rejects(disk.write(Buffer.alloc(512, 3), 3000), { code: 'io' });
    const found = Buffer.alloc(4096);
    await memory.read(found, 0);
    const expected = Buffer.alloc(4096, 9)
      .fill(1, 0, 100)
      .fill(0, 1000, 1050)
      .fill(2, 2000, 2512)
      .fill(0, 2600, 2900);
    assert.ok(found.equals(expected));
  });

  it('says what failed, where', async () => {
    await using disk = faultyDisk(new MemoryDisk(4096), () => ({ code: 'no-space' }));
    await assert.rejects(disk.write(Buffer.alloc(512), 1024), (error) => {
      assert.ok(CalveError.is(error, 'no-space'));
      assert.equal(error.message, 'cannot write 512 bytes at 1024: injected no-space fault in operation 0');
      assert.deepEqual(error.data, { kind: 'write', offset: 1024, length: 512, index: 0 });
      return true;
    });
    await assert.rejects(disk.flush(), { message: 'cannot flush: injected no-space fault in operation 1' });
  });
});
