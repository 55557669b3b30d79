import { countWindow } from './count-window.ts';
import { FindingLog } from './finding-log.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import type { Survey } from './survey.ts';
import { windowsOf } from './windows.ts';

/**
 * The reference counts of an image, window by window, as often as they are asked for. What fits in one window is
 * counted once. References must not change meanwhile.
 */
export class CountedWindows {
  readonly #survey: Survey;
  readonly #memory: number;
  readonly #signal: AbortSignal | undefined;
  #only: ReferenceCounts | undefined;

  /** @param memory bytes for one window */
  constructor(survey: Survey, memory: number, signal: AbortSignal | undefined) {
    // What is found on the way was told before.
    this.#survey = { ...survey, log: new FindingLog(0) };
    this.#memory = memory;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReferenceCounts> {
    const windows = windowsOf(this.#survey.geometry.clusters + 1, this.#memory);
    for (const window of windows) {
      if (this.#only) {
        yield this.#only;
        continue;
      }
      const { counts } = await countWindow(this.#survey, { window, tells: false, signal: this.#signal });
      if (windows.length === 1) this.#only = counts;
      yield counts;
    }
  }
}
