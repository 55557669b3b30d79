import { LatencyWatch } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { ImageStorage } from './image-storage.ts';
import { InFlight } from './in-flight.ts';

/**
 * The longest read that is tried synchronously: out of the page cache it takes a tenth of a millisecond, less than by way
 * of the thread pool. Past it, the process would stand still for too long.
 */
export const QUICK_READ: number = 1024 * 1024;

/** As `QUICK_READ`, of writes, which take longer: the page cache may have to find room first. */
const QUICK_WRITE = 128 * 1024;

/**
 * Synchronous calls that are left out after the first slow one: few, since a busy machine makes one slow by chance. While
 * the device stays slow, each probe doubles them.
 */
const FIRST_PAUSE = 8;

/**
 * Of so many reads and writes one goes through the thread pool in any case: whoever awaits one after the other, each done
 * at once, would keep timers, signals and everybody else from their turn.
 */
const AT_ONCE = 32;

/**
 * An image's file, as the engine uses it: reads that end in zeros past the end of the file, barriers, and the count of
 * what is under way. Offsets and lengths are bytes, in the file.
 */
export class ImageFile {
  readonly path: string;
  /** Reads and writes of clusters that a mapping change could take away. */
  readonly inFlight: InFlight = new InFlight();
  readonly #storage: ImageStorage;
  readonly #watch = new LatencyWatch({ pause: FIRST_PAUSE });
  readonly #writeWatch = new LatencyWatch({ pause: FIRST_PAUSE });
  /** Reads and writes in a row that were done at once. */
  #atOnce = 0;
  #end: number;
  #unsynced = false;
  #failure: unknown;
  // The arguments of the synchronous read under way, so that it needs no closure of its own.
  #quickInto: Uint8Array = new Uint8Array();
  #quickOffset = 0;
  readonly #quickRead = (): number => this.#storage.readSync?.(this.#quickInto, this.#quickOffset) ?? 0;

  constructor(storage: ImageStorage) {
    this.#storage = storage;
    this.path = storage.path;
    this.#end = storage.stat().size;
  }

  /** The file's length, counting what was written through here. */
  get end(): number {
    return this.#end;
  }

  /** Fills `into`; past the end of the file with zeros (trap 19). At once where that is quicker than the thread pool. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    if (this.#mayBeAtOnce() && this.tryRead(into, offset)) return;
    if (offset > Number.MAX_SAFE_INTEGER - into.length) {
      into.fill(0);
      return;
    }
    const count = await this.#storage.read(into, offset);
    if (count < into.length) into.fill(0, count);
  }

  /** As `read`, now; false when that may have to wait for the device. */
  tryRead(into: Uint8Array, offset: number): boolean {
    if (into.length > QUICK_READ) return false;
    if (!this.#storage.readSync || !this.#watch.allows()) {
      return this.#storage.readCached?.(into, offset) ?? false;
    }
    if (offset > Number.MAX_SAFE_INTEGER - into.length) {
      into.fill(0);
      return true;
    }
    this.#quickInto = into;
    this.#quickOffset = offset;
    const count = this.#watch.time(this.#quickRead, into.length);
    if (count < into.length) into.fill(0, count);
    return true;
  }

  /**
   * The bytes of a structure, all of which must be there.
   * @throws CalveError `corrupt` when the file ends before
   */
  async readStructure(what: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset > this.#end - length) {
      throw new CalveError(
        'corrupt',
        `${this.path}: expected ${what} of ${length} bytes at ${offset}, got a file of ${this.#end} bytes`,
        { data: { path: this.path, offset, length, size: this.#end } },
      );
    }
    const bytes = new Uint8Array(length);
    await this.read(bytes, offset);
    return bytes;
  }

  /** Writes all of `from`, which stays as it is until then. At once where that is quicker than the thread pool. */
  async write(from: Uint8Array, offset: number): Promise<void> {
    this.checkWritable();
    try {
      if (!this.#tryWrite(from, offset)) await this.#storage.write(from, offset);
      this.#end = Math.max(this.#end, offset + from.length);
    } finally {
      // Set when the write has ended: a barrier that began before need not have seen it.
      this.#unsynced = true;
    }
  }

  /**
   * Resolves when everything written before is durable. After a failure nobody knows what is, and a second attempt
   * could succeed without the lost writes: so the file takes no more writes.
   */
  async barrier(): Promise<void> {
    this.checkWritable();
    if (!this.#unsynced) return;
    this.#unsynced = false;
    try {
      await this.#storage.datasync();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Ends all writing, because what the file holds or lacks is no longer certain. */
  fail(cause: unknown): void {
    this.#failure ??= cause;
  }

  /** @throws CalveError `io` after a failure that ended all writing */
  checkWritable(): void {
    if (this.#failure === undefined) return;
    throw new CalveError('io', `${this.path}: not written any more since an earlier failure`, {
      cause: this.#failure,
      hint: `qemu-img check ${this.path}`,
    });
  }

  /** Gives storage back; the range reads zeros, or where that cannot be done (false) what it held before. */
  punchHole(offset: number, length: number): boolean {
    this.checkWritable();
    this.#unsynced = true;
    return this.#storage.punchHole(offset, length);
  }

  /** Grows the file to this length at least, by what reads zeros. */
  async growTo(length: number): Promise<void> {
    if (length <= this.#end) return;
    if (this.#storage.truncate) await this.#truncate(length);
    else await this.write(new Uint8Array(1), length - 1);
  }

  /** Cuts the file off, where that can be done: nothing there may be in use. */
  async cutTo(length: number): Promise<void> {
    if (length < this.#end && this.#storage.truncate) await this.#truncate(length);
  }

  /** Reserves storage, and grows the file to hold the range. False where it cannot be done. */
  allocate(offset: number, length: number): boolean {
    this.checkWritable();
    if (this.#storage.allocate?.(offset, length) !== true) return false;
    this.#unsynced = true;
    this.#end = Math.max(this.#end, offset + length);
    return true;
  }

  /** False when the write is long, or synchronous ones are slow at the moment, or the storage has none. */
  #tryWrite(from: Uint8Array, offset: number): boolean {
    const storage = this.#storage;
    if (from.length > QUICK_WRITE || !storage.writeSync) return false;
    if (!this.#mayBeAtOnce() || !this.#writeWatch.allows()) return false;
    this.#writeWatch.time(() => storage.writeSync?.(from, offset), from.length);
    return true;
  }

  #mayBeAtOnce(): boolean {
    this.#atOnce = (this.#atOnce + 1) % AT_ONCE;
    return this.#atOnce > 0;
  }

  async #truncate(length: number): Promise<void> {
    this.checkWritable();
    try {
      await this.#storage.truncate?.(length);
      this.#end = length;
    } finally {
      this.#unsynced = true;
    }
  }

  close(): Promise<void> {
    return this.#storage.close();
  }
}
