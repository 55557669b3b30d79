import { LatencyWatch } from '../../disk/index.ts';
import type { HostFile } from '../../host/index.ts';

/**
 * Once the file is full, one of so many takes the place of another: where more is read again and again than it holds,
 * writing all of it would cost much and keep nothing for longer.
 */
const REPLACING = 16;

/** Milliseconds: of a busy machine's page cache, less than a disk's that has more to write than it can. */
const SLOW_WRITE = 1;

/** A cluster in the file. */
export interface Spilled {
  readonly offset: number;
  readonly length: number;
  /** Its place is taken, or nobody wants it any more: not to be read. */
  gone: boolean;
  /** Called when its place is taken while somebody wants it. */
  readonly forget: () => void;
}

/**
 * A bounded file for clusters that take longer to unpack than to read, written round and round: what was written first
 * goes first. Whatever fails, of the file or of the disk that it lies on, ends its use: everything in it can be unpacked
 * again.
 */
export class SpillFile {
  /** Bytes. */
  readonly #limit: number;
  readonly #openFile: () => Promise<HostFile | undefined>;
  readonly #reads = new LatencyWatch();
  readonly #writes = new LatencyWatch({ slow: SLOW_WRITE, pause: 8 });
  readonly #users = new Set<object>();
  /** In the order in which their places are taken again. */
  readonly #spilled = new Set<Spilled>();
  #opening: Promise<void> | undefined;
  #file: HostFile | undefined;
  #end = 0;
  /** Clusters that found the file full. */
  #turns = 0;
  #failed = false;

  /**
   * @param limit the most bytes that the file takes
   * @param openFile called at the first use, and again after nobody used it any more; undefined: there is no room
   */
  constructor(limit: number, openFile: () => Promise<HostFile | undefined>) {
    this.#limit = limit;
    this.#openFile = openFile;
  }

  /**
   * Writes a cluster for a user, who will `leave`: at once, since the page cache takes it quicker than the thread pool.
   * @returns undefined when it is not kept: the file is not open yet, or is no use, or is slow, or full
   */
  add(user: object, cluster: Uint8Array, forget: () => void): Spilled | undefined {
    const { length } = cluster;
    if (this.#failed || length > this.#limit) return undefined;
    this.#users.add(user);
    const file = this.#file;
    if (!file) {
      this.#opening ??= this.#open();
      return undefined;
    }
    if (!this.#writes.allows() || !this.#makeRoom(length)) return undefined;
    const spilled: Spilled = { offset: this.#end, length, gone: false, forget };
    try {
      this.#writes.time(() => file.writeSync(cluster, spilled.offset), length);
    } catch {
      this.#fail();
      return undefined;
    }
    this.#end += length;
    this.#spilled.add(spilled);
    return spilled;
  }

  /** Fills `into` from byte `at` of the cluster, now; false when the device might have to be waited for. */
  tryRead(spilled: Spilled, into: Uint8Array, at: number): boolean {
    const file = this.#file;
    if (!file || spilled.gone) return false;
    const offset = spilled.offset + at;
    try {
      if (!this.#reads.allows()) return file.readCached(into, offset);
      return this.#reads.time(() => file.readSync(into, offset), into.length) === into.length;
    } catch {
      this.#fail();
      return false;
    }
  }

  /** As `tryRead`, waiting for the device; false when the cluster went meanwhile. */
  async read(spilled: Spilled, into: Uint8Array, at: number): Promise<boolean> {
    const file = this.#file;
    if (!file || spilled.gone) return false;
    try {
      const count = await file.read(into, spilled.offset + at);
      return count === into.length && !spilled.gone;
    } catch {
      this.#fail();
      return false;
    }
  }

  /** The file goes with the last of its users. */
  async leave(user: object): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    await this.#opening;
    // Somebody may have come while it was being opened.
    if (this.#users.size === 0) await this.#close();
  }

  async #open(): Promise<void> {
    try {
      this.#file = await this.#openFile();
      this.#failed = this.#file === undefined;
    } catch {
      this.#failed = true;
    }
  }

  /** Moves to where `length` bytes are free. False while what lies there is to stay. */
  #makeRoom(length: number): boolean {
    const wraps = this.#end + length > this.#limit;
    const [start, end] = wraps ? [0, length] : [this.#end, this.#end + length];
    let mayReplace = false;
    // What was written at the beginning of this round lies below `#end`, and what is left of the one before above it.
    for (const oldest of this.#spilled) {
      const isAhead = oldest.offset >= this.#end;
      const isInTheWay = oldest.offset < end && oldest.offset + oldest.length > start;
      if (!isInTheWay && !(wraps && isAhead)) break;
      if (!oldest.gone && !mayReplace) {
        mayReplace = ++this.#turns % REPLACING === 0;
        if (!mayReplace) return false;
      }
      this.#drop(oldest);
    }
    this.#end = start;
    return true;
  }

  #drop(spilled: Spilled): void {
    this.#spilled.delete(spilled);
    if (spilled.gone) return;
    spilled.gone = true;
    spilled.forget();
  }

  #fail(): void {
    this.#failed = true;
    // Nothing of it is needed any more, so that a failure to close it means nothing.
    this.#close().catch(() => undefined);
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#opening = undefined;
    this.#end = 0;
    for (const spilled of [...this.#spilled]) this.#drop(spilled);
    await file?.close();
  }
}
