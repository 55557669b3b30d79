import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { delayedDisk } from './delayed-disk.ts';
import type { DiskOperation } from './disk-operation.ts';
import { MemoryDisk } from './memory-disk.ts';

diskContract('a delayed disk', async (size) =>
  delayedDisk(new MemoryDisk(size), ({ index }) => index % 3 || undefined),
);
diskContract('a delayed disk of early effect', async (size) =>
  delayedDisk(new MemoryDisk(size), () => Promise.resolve(), { effect: 'early' }),
);

/** Delays that a test ends one by one, in any order. */
function gates() {
  const all: PromiseWithResolvers<void>[] = [];
  const gate = (index: number) => {
    all[index] ??= Promise.withResolvers<void>();
    return all[index];
  };
  return {
    delay: ({ index }: DiskOperation) => gate(index).promise,
    end: (index: number) => gate(index).resolve(),
  };
}

describe('delayedDisk', () => {
  it('lets operations take effect when their wait is over, in the order in which waits end', async () => {
    const memory = new MemoryDisk(512);
    const { delay, end } = gates();
    await using disk = delayedDisk(memory, delay);
    const first = disk.write(Buffer.of(1), 0);
    const second = disk.write(Buffer.of(2), 0);
    const found = Buffer.alloc(1);
    memory.tryRead(found, 0);
    assert.equal(found[0], 0);
    end(1);
    await second;
    memory.tryRead(found, 0);
    assert.equal(found[0], 2);
    end(0);
    await first;
    memory.tryRead(found, 0);
    assert.equal(found[0], 1);
  });

  it('or at once, so that a read brings what was there before', async () => {
    const memory = new MemoryDisk(512);
    const { delay, end } = gates();
    await using disk = delayedDisk(memory, delay, { effect: 'early' });
    const old = Buffer.alloc(1, 0xff);
    const reading = disk.read(old, 0);
    let ended = false;
    const writing = disk.write(Buffer.of(7), 0).then(() => (ended = true));
    const found = Buffer.alloc(1);
    memory.tryRead(found, 0);
    assert.equal(found[0], 7);
    end(0);
    await reading;
    assert.equal(old[0], 0);
    assert.equal(ended, false);
    end(1);
    await writing;
  });

  it('delays by milliseconds', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    await using disk = delayedDisk(new MemoryDisk(512), 50);
    let ended = false;
    const flushing = disk.flush().then(() => {
      ended = true;
    });
    t.mock.timers.tick(49);
    await setImmediate();
    assert.equal(ended, false);
    t.mock.timers.tick(1);
    await setImmediate();
    assert.equal(ended, true);
    await flushing;
  });

  it('declines to read now', async () => {
    await using disk = delayedDisk(new MemoryDisk(512), () => undefined);
    assert.equal(disk.tryRead?.(Buffer.alloc(1), 0), false);
    assert.throws(() => disk.tryRead?.(Buffer.alloc(1), 512), { code: 'out-of-range' });
  });
});
