/** Requests of one size, `step` bytes from one to the next, around the end of the disk to its beginning. */
export interface Requests {
  readonly count: number;
  /** At one time. */
  readonly depth: number;
  /** Bytes of each. */
  readonly size: number;
  readonly step: number;
}

/**
 * A step that visits every block of a disk once, far from the one before, when disk and block are powers of two: an odd
 * number of blocks. The random access of both sides, as `qemu-img bench` knows no other.
 */
export function scattered(block: number, count: number, depth: number): Requests {
  return { count, depth, size: block, step: block * 7919 };
}

export function sequential(block: number, count: number, depth: number): Requests {
  return { count, depth, size: block, step: block };
}

/** Makes requests of a disk, in the order that `qemu-img bench` makes them; resolves to the seconds that they took. */
export async function makeRequests(
  { count, depth, size, step }: Requests,
  diskSize: number,
  request: (buffer: Uint8Array, offset: number, number: number) => Promise<void> | undefined,
): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    const buffer = Buffer.alloc(size, 0x5a);
    while (next < count) {
      const number = next;
      next += 1;
      const pending = request(buffer, (number * step) % diskSize, number);
      if (pending) await pending;
    }
  };
  return seconds(() => Promise.all(Array.from({ length: depth }, lane)));
}

/** How long something takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
