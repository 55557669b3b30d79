import type { Disk } from './disk.ts';
import type { DiskOperation } from './disk-operation.ts';
import { interceptDisk } from './intercept-disk.ts';
import type { WrapOptions, Wrapped } from './wrap-disk.ts';

/** Milliseconds, or what tells for each operation how many, or a promise to wait for. */
export type Delay = number | ((operation: DiskOperation) => number | PromiseLike<unknown> | undefined);

/** How operations are delayed. */
export interface DelayOptions extends WrapOptions {
  /**
   * - `late`: an operation reaches the disk when the wait is over (default)
   * - `early`: it reaches the disk at once, and its end is heard of when the wait is over: a read brings what was
   *   there before
   */
  readonly effect?: 'late' | 'early';
}

/**
 * A disk that takes its time, as a device or a network does; `tryRead` declines. Operations may overtake each other.
 * Closing waits for those under way.
 */
export function delayedDisk<D extends Disk>(disk: D, delay: Delay, options?: DelayOptions): Wrapped<D>;
export function delayedDisk(disk: Disk, delay: Delay, options: DelayOptions = {}): Disk {
  const wait = async (operation: DiskOperation) => {
    const time = typeof delay === 'function' ? delay(operation) : delay;
    if (typeof time === 'number') await new Promise((resolve) => setTimeout(resolve, time));
    else await time;
  };
  return interceptDisk(
    disk,
    {
      async around(operation, pass) {
        if (options.effect !== 'early') await wait(operation);
        await pass();
        if (options.effect === 'early') await wait(operation);
      },
      tryRead: () => false,
    },
    options,
  );
}
