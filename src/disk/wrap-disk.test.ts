import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import {
  cachedDisk,
  type Disk,
  delayedDisk,
  faultyDisk,
  isWritable,
  MemoryDisk,
  overlayDisk,
  recordingDisk,
  sliceDisk,
  type WrapOptions,
  type WritableDisk,
} from './index.ts';

const SIZE = 8192;

/** A disk with every capability, each its own member that can be taken away or watched. */
function fullDisk(): Required<WritableDisk> {
  const disk = new MemoryDisk(SIZE);
  return {
    size: SIZE,
    read: (into, offset) => disk.read(into, offset),
    tryRead: (into, offset) => disk.tryRead(into, offset),
    extents: (offset, length) => disk.extents(offset, length),
    write: (from, offset) => disk.write(from, offset),
    flush: () => disk.flush(),
    writeZeroes: (offset, length) => disk.writeZeroes(offset, length),
    discard: (offset, length) => disk.discard(offset, length),
    resize: (size) => disk.resize(size),
    close: () => disk.close(),
    [Symbol.asyncDispose]: () => disk.close(),
  };
}

function readingDisk(): Disk {
  const { size, read, close, [Symbol.asyncDispose]: dispose } = fullDisk();
  return { size, read, close, [Symbol.asyncDispose]: dispose };
}

const ANY = {
  sliceDisk: (disk: Disk, options?: WrapOptions) => sliceDisk(disk, 0, disk.size, options),
  faultyDisk: (disk: Disk, options?: WrapOptions) => faultyDisk(disk, () => undefined, options),
  delayedDisk: (disk: Disk, options?: WrapOptions) => delayedDisk(disk, 0, options),
  cachedDisk: (disk: Disk, options?: WrapOptions) => cachedDisk(disk, { bytes: SIZE, ...options }),
};

const WRITABLE = {
  sliceDisk: (disk: WritableDisk, options?: WrapOptions) => sliceDisk(disk, 0, disk.size, options),
  faultyDisk: (disk: WritableDisk, options?: WrapOptions) => faultyDisk(disk, () => undefined, options),
  delayedDisk: (disk: WritableDisk, options?: WrapOptions) => delayedDisk(disk, 0, options),
  recordingDisk: (disk: WritableDisk, options?: WrapOptions) => recordingDisk(disk, options),
  cachedDisk: (disk: WritableDisk, options?: WrapOptions) => cachedDisk(disk, { bytes: SIZE, ...options }),
};

for (const [name, wrap] of Object.entries(WRITABLE)) {
  describe(`${name} as a wrapper`, () => {
    it('is capable of what the disk below is capable of, and of nothing else', () => {
      for (const missing of [undefined, 'tryRead', 'extents', 'writeZeroes', 'discard', 'resize'] as const) {
        const disk: WritableDisk = fullDisk();
        if (missing) delete disk[missing];
        const wrapper = wrap(disk);
        for (const member of ['tryRead', 'extents', 'writeZeroes', 'discard', 'resize'] as const) {
          const own = name === 'cachedDisk' && member === 'tryRead';
          const never = name === 'sliceDisk' && member === 'resize';
          assert.equal(member in wrapper, own || (!never && member !== missing), `${member}, no ${missing}`);
        }
      }
    });

    it('closes the disk below, once', async () => {
      const disk = fullDisk();
      let closed = 0;
      disk.close = async () => {
        closed += 1;
      };
      const wrapper = wrap(disk);
      await Promise.all([wrapper.close(), wrapper.close()]);
      await wrapper[Symbol.asyncDispose]();
      assert.equal(closed, 1);
    });

    it('leaves the disk below open when told to, and flushed if it was written', async () => {
      const disk = fullDisk();
      let flushes = 0;
      disk.flush = async () => {
        flushes += 1;
      };
      await wrap(disk, { leaveOpen: true }).close();
      assert.equal(flushes, 0);
      for (const change of [
        (wrapper: WritableDisk) => wrapper.write(Buffer.of(1), 0),
        (wrapper: WritableDisk) => wrapper.writeZeroes?.(0, 1),
        (wrapper: WritableDisk) => wrapper.discard?.(0, 1),
      ]) {
        const wrapper = wrap(disk, { leaveOpen: true });
        await change(wrapper);
        assert.equal(flushes, 0);
        await wrapper.close();
        assert.equal(flushes, 1);
        flushes = 0;
        await assert.rejects(wrapper.read(Buffer.alloc(1), 0), { code: 'closed' });
        assert.throws(() => wrapper.tryRead?.(Buffer.alloc(1), 0), { code: 'closed' });
        await disk.read(Buffer.alloc(1), 0);
      }
    });

    it('passes a flush on, and its failure', async () => {
      const disk = fullDisk();
      const failure = new Error('the platter fell out');
      disk.flush = () => Promise.reject(failure);
      await assert.rejects(wrap(disk).flush(), failure);
    });

    it('lets what is under way end before it closes', async () => {
      const disk = fullDisk();
      const { promise, resolve } = Promise.withResolvers<void>();
      const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
      const events: string[] = [];
      disk.write = async () => {
        begin();
        await promise;
        events.push('written');
      };
      disk.close = async () => void events.push('closed');
      const wrapper = wrap(disk);
      const writing = wrapper.write(Buffer.of(1), 0);
      await begun;
      const closing = wrapper.close();
      await assert.rejects(wrapper.write(Buffer.of(1), 1), { code: 'closed' });
      resolve();
      await Promise.all([writing, closing]);
      assert.deepEqual(events, ['written', 'closed']);
    });
  });
}

for (const [name, wrap] of Object.entries(ANY)) {
  it(`${name} of a disk for reading is a disk for reading`, async () => {
    const wrapper = wrap(readingDisk());
    assert.equal(isWritable(wrapper), false);
    assert.equal('write' in wrapper, false);
    await wrapper.read(Buffer.alloc(SIZE), 0);
    await wrapper.close();
    await assert.rejects(wrapper.read(Buffer.alloc(1), 0), { code: 'closed' });
  });
}

diskContract('a stack of all wrappers', async (size) => {
  const base = sliceDisk(new MemoryDisk(size + 1000), 500, size);
  const overlay = overlayDisk(cachedDisk(base, { bytes: 100_000, blockSize: 3000 }), { blockSize: 5000 });
  const slow = delayedDisk(
    faultyDisk(recordingDisk(overlay), () => undefined),
    () => undefined,
  );
  return cachedDisk(slow, { bytes: 150_000, blockSize: 4096 });
});
