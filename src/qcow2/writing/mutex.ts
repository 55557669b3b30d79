/** Runs asynchronous jobs one at a time, in the order they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    // The next job runs whatever became of this one; its caller hears of it.
    this.#last = result.catch(() => undefined);
    return result;
  }
}
