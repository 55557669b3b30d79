/**
 * Tasks that run at the same time. `end` waits for every one, whatever becomes of the others, because after a failed
 * read or write nothing may still be on its way to or from the caller's buffer; then it throws the first error.
 */
export class TaskGroup {
  readonly #tasks: Promise<void>[] = [];
  readonly #errors: unknown[] = [];

  add(task: Promise<void>): void {
    this.#tasks.push(task.catch((error) => this.fail(error)));
  }

  /** An error of whoever starts the tasks. */
  fail(error: unknown): void {
    this.#errors.push(error);
  }

  async end(): Promise<void> {
    await Promise.all(this.#tasks);
    if (this.#errors.length > 0) throw this.#errors[0];
  }
}
