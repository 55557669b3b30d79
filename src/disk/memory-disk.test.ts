import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { MemoryDisk } from './memory-disk.ts';

diskContract('MemoryDisk', async (size) => new MemoryDisk(size));

test('MemoryDisk tells written, zeroed and untouched pages apart', async () => {
  const disk = new MemoryDisk(4 * 65_536 + 100);
  await disk.write(Buffer.of(1), 65_536);
  await disk.writeZeroes(2 * 65_536, 65_536);
  await disk.writeZeroes(4 * 65_536, 100);
  const extents = await Array.fromAsync(disk.extents(0, disk.size));
  assert.deepEqual(
    extents.map(({ kind, length }) => [kind, length]),
    [
      ['unallocated', 65_536],
      ['data', 65_536],
      ['zero', 65_536],
      ['unallocated', 65_536],
      ['zero', 100],
    ],
  );
  await disk.discard(0, disk.size);
  for await (const extent of disk.extents(0, disk.size)) assert.equal(extent.kind, 'unallocated');
});

test('MemoryDisk may be far larger than memory', async () => {
  const disk = new MemoryDisk(2 ** 50);
  await disk.write(Buffer.from('end'), 2 ** 50 - 3);
  const into = Buffer.alloc(4);
  assert.equal(disk.tryRead(into, 2 ** 50 - 4), true);
  assert.equal(into.toString(), '\0end');
});
