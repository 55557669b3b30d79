/** A write, a hole punched, or a new size, with the moments when it began and ended; `end` is infinite while it is under way. */
interface Recorded {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The file was made to end here, or to reach up to here, instead. */
  readonly size?: number;
  readonly begin: number;
  end: number;
}

const SECTOR = 512;
/** A write from the start of the file on, as of a header, is not torn within its first 4 KiB. */
const HEADER = 4096;

/**
 * A file in memory that remembers every write and every flush, and can say what a disk may hold after a crash at any
 * moment: all that was flushed, and of the rest any sectors.
 */
export class CrashStorage {
  readonly path: string;
  readonly writable = true;
  readonly #initial: Buffer;
  readonly #content: GrowingBuffer;
  readonly #writes: Recorded[] = [];
  readonly #syncs: { readonly begin: number; readonly end: number }[] = [];
  #clock = 0;

  constructor(path: string, initial: Uint8Array) {
    this.path = path;
    this.#initial = Buffer.from(initial);
    this.#content = new GrowingBuffer(initial);
  }

  /** The moment now; each event has one of its own. */
  get clock(): number {
    return this.#clock;
  }

  get content(): Buffer {
    return this.#content.bytes;
  }

  stat(): { size: number } {
    return { size: this.content.length };
  }

  readSync(into: Uint8Array, offset: number): number {
    const part = this.content.subarray(offset, offset + into.length);
    into.set(part);
    return part.length;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    await turn();
    return this.readSync(into, offset);
  }

  async write(from: Uint8Array, offset: number): Promise<void> {
    const recorded = this.#record(Buffer.from(from), offset);
    await turn();
    this.#content.set(recorded.bytes, offset);
    recorded.end = this.tick();
  }

  async datasync(): Promise<void> {
    const begin = this.tick();
    await turn();
    this.#syncs.push({ begin, end: this.tick() });
  }

  punchHole(offset: number, length: number): boolean {
    const end = Math.min(offset + length, this.content.length);
    if (end <= offset) return true;
    const recorded = this.#record(Buffer.alloc(end - offset), offset);
    this.#content.set(recorded.bytes, offset);
    recorded.end = this.tick();
    return true;
  }

  async truncate(size: number): Promise<void> {
    const recorded = this.#record(Buffer.alloc(0), 0, size);
    await turn();
    this.#content.resize(size);
    recorded.end = this.tick();
  }

  async close(): Promise<void> {}

  /**
   * What the disk may hold after a crash.
   * @param moment of `clock`
   * @param keep whether a sector that was written and not flushed survives; asked for each
   */
  after(moment: number, keep: () => boolean): Buffer {
    const flushed = Math.max(0, ...this.#syncs.filter(({ end }) => end <= moment).map(({ begin }) => begin));
    const content = new GrowingBuffer(this.#initial);
    for (const { offset, bytes, size, begin, end } of this.#writes) {
      if (begin > moment) continue;
      if (size !== undefined) {
        if (end < flushed || keep()) content.resize(size);
        continue;
      }
      if (end < flushed) {
        content.set(bytes, offset);
        continue;
      }
      for (let at = 0; at < bytes.length; ) {
        const unit = offset + at === 0 ? HEADER : SECTOR;
        const next = Math.min(bytes.length, at + unit - ((offset + at) % unit));
        if (keep()) content.set(bytes.subarray(at, next), offset + at);
        at = next;
      }
    }
    return content.bytes;
  }

  #record(bytes: Buffer, offset: number, size?: number): Recorded {
    const begin = this.tick();
    const recorded = {
      offset,
      bytes,
      ...(size === undefined ? {} : { size }),
      begin,
      end: Number.POSITIVE_INFINITY,
    };
    this.#writes.push(recorded);
    return recorded;
  }

  /** A moment of its own for an event that is none of the file: what changes memory alone takes none here. */
  tick(): number {
    this.#clock += 1;
    return this.#clock;
  }
}

/** Bytes that grow by being written to; gaps are zeros. */
class GrowingBuffer {
  #room: Buffer;
  #length: number;

  constructor(initial: Uint8Array) {
    this.#room = Buffer.from(initial);
    this.#length = initial.length;
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  set(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#room.length) this.#room = Buffer.concat([this.#room, Buffer.alloc(end)]);
    this.#length = Math.max(this.#length, end);
    this.#room.set(bytes, offset);
  }

  resize(size: number): void {
    if (size > this.#room.length) this.#room = Buffer.concat([this.#room, Buffer.alloc(size)]);
    // What is cut off must read zeros when the bytes grow again.
    else this.#room.fill(0, size);
    this.#length = size;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
