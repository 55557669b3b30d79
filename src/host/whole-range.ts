import { errnoOf } from '../errors/index.ts';

/** The most bytes of one call; Linux stops just short of 2 GiB, and so does Node. */
const CALL = 1024 ** 3;

/** One system call: at most `length` bytes, `done` bytes into the range. Returns the bytes it did. */
type Step<Count> = (done: number, length: number) => Count;

/**
 * Repeats a read or write, which the kernel may cut short anywhere, until the range is done or a call does nothing:
 * the end of the file. A call that a signal interrupted is made again. Returns the bytes done.
 */
export function wholeRangeSync(length: number, step: Step<number>): number {
  let done = 0;
  while (done < length) {
    try {
      const count = step(done, Math.min(length - done, CALL));
      if (count === 0) break;
      done += count;
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw error;
    }
  }
  return done;
}

/** As `wholeRangeSync`, for calls made in the thread pool. */
export async function wholeRange(length: number, step: Step<Promise<number>>): Promise<number> {
  let done = 0;
  while (done < length) {
    try {
      const count = await step(done, Math.min(length - done, CALL));
      if (count === 0) break;
      done += count;
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw error;
    }
  }
  return done;
}
