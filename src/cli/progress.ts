import { formatBytes } from '../bytes/index.ts';
import type { Progress as Step } from '../store/index.ts';

/** Milliseconds between two drawings of the bar, and between two plain lines. */
export const REDRAW = 100;
const LINE = 1000;
/** Milliseconds over which the rate is taken. */
const WINDOW = 5000;
const BAR = 24;
const CLEAR_LINE = '\r\x1b[K';

/** Where progress is shown. */
export interface ProgressOptions {
  readonly stream: { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };
  readonly silent?: boolean;
  /** Milliseconds now (default `performance.now`). */
  readonly now?: () => number;
}

/**
 * How far a piece of long work is: bytes, rate, remaining time. On a terminal a bar that is redrawn in place and
 * erased at the end; elsewhere plain lines, at most one a second and only when the percentage changed.
 */
export class Progress {
  readonly #subject: string;
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  #phase = '';
  #samples: { at: number; done: number }[] = [];
  #shownAt: number;
  #shown = '';

  /** @param subject what is worked on, as a person calls it */
  constructor(subject: string, options: ProgressOptions) {
    this.#subject = subject;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#shownAt = this.#now();
  }

  /** Hand this to long work as its `onProgress`. A total of 0 is one that is not known. */
  readonly update = ({ phase, done, total }: Step): void => {
    if (this.#options.silent === true || (total <= 0 && done <= 0)) return;
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#samples = [{ at: this.#now(), done }];
    }
    const terminal = this.#options.stream.isTTY === true;
    const at = this.#now();
    if (at - this.#shownAt < (terminal ? REDRAW : LINE)) return;
    this.#shownAt = at;
    const rate = this.#rate(at, done);
    const percent = total > 0 ? Math.floor((Math.min(done, total) / total) * 100) : undefined;
    const facts = [amountOf(done, total)];
    if (rate > 0) facts.push(`${formatBytes(Math.round(rate))}/s`);
    if (rate > 0 && total > 0) facts.push(`${formatDuration((total - done) / rate)} left`);
    if (terminal) this.#draw(done, total, facts.slice(1));
    else if (this.#shown !== `${phase} ${percent ?? done}`) {
      this.#shown = `${phase} ${percent ?? done}`;
      const share = percent === undefined ? [] : [`${percent}%`];
      this.#options.stream.write(`${this.#phase} ${this.#subject}: ${[...share, ...facts].join(', ')}\n`);
    }
  };

  /** Erases the bar; plain lines stay. */
  end(): void {
    if (this.#options.stream.isTTY === true && this.#shown !== '') this.#options.stream.write(CLEAR_LINE);
    this.#shown = '';
  }

  #draw(done: number, total: number, facts: readonly string[]): void {
    // A terminal that does not know its width says 0.
    const width = (this.#options.stream.columns || 80) - 1;
    this.#shown = barLine(`${this.#phase} ${this.#subject} `, done, total, facts, width);
    this.#options.stream.write(`${CLEAR_LINE}${this.#shown}`);
  }

  /** Bytes a second over the last few seconds. */
  #rate(at: number, done: number): number {
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > WINDOW) this.#samples.shift();
    const oldest = this.#samples[0];
    if (oldest === undefined || at <= oldest.at) return 0;
    return Math.max(0, ((done - oldest.done) / (at - oldest.at)) * 1000);
  }
}

function amountOf(done: number, total: number): string {
  return total > 0 ? `${formatBytes(done)} of ${formatBytes(total)}` : formatBytes(done);
}

/**
 * A line with a bar, a share and figures, no longer than a terminal is wide.
 * @param before what it is about
 * @param total 0 for one that is not known
 */
export function barLine(
  before: string,
  done: number,
  total: number,
  facts: readonly string[],
  width: number,
): string {
  const percent = total > 0 ? Math.floor((Math.min(done, total) / total) * 100) : undefined;
  const share = percent === undefined ? '' : `${String(percent).padStart(3)}%  `;
  const after = `${share}${[amountOf(done, total), ...facts].join('  ')}`;
  // The figures matter more than the bar.
  const room = Math.min(BAR, width - before.length - after.length - '[] '.length);
  const filled = Math.round(((percent ?? 0) / 100) * room);
  const bar = room < 5 || percent === undefined ? '' : `[${'#'.repeat(filled)}${'.'.repeat(room - filled)}] `;
  return `${before}${bar}${after}`.slice(0, width);
}

/** Seconds for people: `4 s`, `2 min 10 s`, `1 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
