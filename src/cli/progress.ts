import { formatBytes } from '../bytes/index.ts';

/** Milliseconds between two drawings of the bar, and between two plain lines. */
const REDRAW = 100;
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
export class Progress implements Disposable {
  readonly #label: string;
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  #samples: { at: number; done: number }[] = [];
  #shownAt: number;
  #shown = '';

  constructor(label: string, options: ProgressOptions) {
    this.#label = label;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#shownAt = this.#now();
    this.#samples.push({ at: this.#shownAt, done: 0 });
  }

  /** Hand this to whatever reports: bytes done so far, bytes in all. */
  readonly update = (done: number, total: number): void => {
    if (this.#options.silent === true || total <= 0) return;
    const terminal = this.#options.stream.isTTY === true;
    const at = this.#now();
    if (at - this.#shownAt < (terminal ? REDRAW : LINE)) return;
    this.#shownAt = at;
    const rate = this.#rate(at, done);
    const percent = Math.floor((Math.min(done, total) / total) * 100);
    const facts = [`${formatBytes(done)} of ${formatBytes(total)}`];
    if (rate > 0) facts.push(`${formatBytes(Math.round(rate))}/s`, `${formatDuration((total - done) / rate)} left`);
    if (terminal) this.#draw(percent, facts);
    else if (this.#shown !== `${percent}`) {
      this.#shown = `${percent}`;
      this.#options.stream.write(`${this.#label}: ${percent}%, ${facts.join(', ')}\n`);
    }
  };

  /** Erases the bar; plain lines stay. */
  [Symbol.dispose](): void {
    if (this.#options.stream.isTTY === true && this.#shown !== '') this.#options.stream.write(CLEAR_LINE);
    this.#shown = '';
  }

  #draw(percent: number, facts: readonly string[]): void {
    const filled = Math.round((percent / 100) * BAR);
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`;
    const line = `${this.#label} ${bar} ${String(percent).padStart(3)}%  ${facts.join('  ')}`;
    this.#shown = line.slice(0, (this.#options.stream.columns ?? 80) - 1);
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

/** Seconds for people: `4 s`, `2 min 10 s`, `1 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
