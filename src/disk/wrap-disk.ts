import { checkRange } from './check-range.ts';
import type { Disk, Extent, WritableDisk, ZeroOptions } from './disk.ts';
import { isWritable } from './is-writable.ts';
import { Lifetime } from './lifetime.ts';

/** How a disk is wrapped. */
export interface WrapOptions {
  /**
   * Closing the wrapper leaves what it wraps open, and flushes it if it was written through the wrapper
   * (default false: closes it).
   */
  readonly leaveOpen?: boolean;
}

/** What a wrapper of a disk is: writable when the disk is. */
export type Wrapped<D extends Disk> = D extends WritableDisk ? WritableDisk : Disk;

/** How a wrapper reads. Each member is called only while the wrapper is open and for ranges that lie in it. */
export interface ReadingSide {
  size(): number;
  read(into: Uint8Array, offset: number): Promise<void>;
  tryRead(into: Uint8Array, offset: number): boolean;
  /** The wrapper can try also where the disk below cannot (default false). */
  readonly alwaysTries?: boolean;
  extents(offset: number, length: number): AsyncIterable<Extent>;
}

/** How a wrapper writes; as `ReadingSide`. */
export interface WritingSide {
  write(from: Uint8Array, offset: number): Promise<void>;
  flush(): Promise<void>;
  writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void>;
  discard(offset: number, length: number): Promise<void>;
  /** Left out, the wrapper keeps its size. */
  resize?(size: number): Promise<void>;
}

/**
 * The part that all wrappers share: it is writable, and has each capability, exactly when the disk below is and has;
 * refuses use after close and ranges outside; ends what is under way before it closes.
 */
export function wrapDisk<D extends Disk>(
  disk: D,
  reading: ReadingSide,
  writing: (disk: WritableDisk) => WritingSide,
  options?: WrapOptions,
): Wrapped<D>;
export function wrapDisk(
  disk: Disk,
  reading: ReadingSide,
  writing: (disk: WritableDisk) => WritingSide,
  options: WrapOptions = {},
): Disk {
  const lifetime = new Lifetime();
  const wrapper = readingDisk(disk, reading, lifetime);
  let release = async () => {
    if (options.leaveOpen !== true) await disk.close();
  };
  if (isWritable(disk)) {
    const wasWritten = addWriting(wrapper, disk, writing(disk), lifetime);
    const close = release;
    release = async () => {
      if (options.leaveOpen === true && wasWritten()) await disk.flush();
      await close();
    };
  }
  wrapper.close = () => lifetime.close(release);
  return wrapper;
}

function readingDisk(disk: Disk, side: ReadingSide, lifetime: Lifetime): Disk {
  const wrapper: Disk = {
    get size() {
      return side.size();
    },
    read: (into, offset) =>
      lifetime.run(() => {
        checkRange(wrapper, offset, into.length);
        return side.read(into, offset);
      }),
    close: () => disk.close(),
    [Symbol.asyncDispose]: () => wrapper.close(),
  };
  if (disk.tryRead || side.alwaysTries === true) {
    wrapper.tryRead = (into, offset) => {
      lifetime.check();
      checkRange(wrapper, offset, into.length);
      return side.tryRead(into, offset);
    };
  }
  if (disk.extents) {
    wrapper.extents = async function* (offset, length) {
      lifetime.check();
      checkRange(wrapper, offset, length);
      yield* side.extents(offset, length);
    };
  }
  return wrapper;
}

/** Makes a wrapper writable. Returns what tells whether it was written. */
function addWriting(wrapper: Disk, disk: WritableDisk, side: WritingSide, lifetime: Lifetime): () => boolean {
  let written = false;
  const change = (offset: number, length: number, action: () => Promise<void>) =>
    lifetime.run(() => {
      checkRange(wrapper, offset, length);
      written = true;
      return action();
    });
  const writable: WritableDisk = Object.assign(wrapper, {
    write: (from: Uint8Array, offset: number) => change(offset, from.length, () => side.write(from, offset)),
    flush: () => lifetime.run(() => side.flush()),
  });
  if (disk.writeZeroes) {
    writable.writeZeroes = (offset, length, options) =>
      change(offset, length, () => side.writeZeroes(offset, length, options));
  }
  if (disk.discard) {
    writable.discard = (offset, length) => change(offset, length, () => side.discard(offset, length));
  }
  if (disk.resize && side.resize) {
    writable.resize = (size) =>
      change(0, 0, async () => {
        checkRange({ size: Number.MAX_SAFE_INTEGER }, size, 0);
        await side.resize?.(size);
      });
  }
  return () => written;
}
