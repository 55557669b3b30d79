import type { FileSource } from '../tree-change.ts';

/** Reads a source from its start to its end, what is no data as zeros. */
export class SourceReader implements AsyncDisposable {
  readonly #source: FileSource;
  readonly #runs: AsyncIterator<{ readonly offset: number; readonly length: number }>;
  /** The run that we are in or before; null: there is none any more. */
  #run: { readonly offset: number; readonly end: number } | null = { offset: 0, end: 0 };

  constructor(source: FileSource) {
    this.#source = source;
    this.#runs = source.dataRuns()[Symbol.asyncIterator]();
  }

  /**
   * Fills `into`; what lies behind the end is zeros. Offsets must not go back.
   * @returns whether there was any data
   */
  async fill(into: Uint8Array, offset: number): Promise<boolean> {
    const end = offset + into.length;
    let hasData = false;
    into.fill(0);
    for (;;) {
      while (this.#run !== null && this.#run.end <= offset) await this.#advance();
      if (this.#run === null || this.#run.offset >= end) return hasData;
      const from = Math.max(offset, this.#run.offset);
      const to = Math.min(end, this.#run.end);
      await this.#source.read(from, into.subarray(from - offset, to - offset));
      hasData = true;
      if (this.#run.end > end) return true;
      await this.#advance();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runs.return?.();
  }

  async #advance(): Promise<void> {
    const next = await this.#runs.next();
    this.#run =
      next.done === true
        ? null
        : {
            offset: next.value.offset,
            end: Math.min(next.value.offset + next.value.length, this.#source.size),
          };
  }
}
