/** What a range of a disk holds, as far as is known without reading it. */
export interface Extent {
  /** First byte, counted from the start of the disk. */
  readonly offset: number;
  /** Bytes; never 0. */
  readonly length: number;
  /**
   * - `data`: bytes are stored
   * - `zero`: reads zeros, and some layer says so
   * - `unallocated`: no layer says anything; reads zeros
   */
  readonly kind: 'data' | 'zero' | 'unallocated';
  /** The layer of the chain that decides: 0 this disk's own, 1 its backing disk, and so on. */
  readonly depth: number;
}

/**
 * An array of bytes that a guest sees. All offsets and lengths are bytes.
 *
 * Required members are few; the optional ones are capabilities, and the functions beside this file
 * (`extentsOf`, `writeZeroesTo`, …) fall back where one is missing.
 */
export interface Disk extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /**
   * Fills `into` from `offset`.
   * @throws CalveError `out-of-range` when the range does not lie in the disk; `io`; `closed`
   */
  read(into: Uint8Array, offset: number): Promise<void>;
  /**
   * Fills `into` now if that needs no waiting and returns true; else returns false and `into` is undefined.
   * Throws what `read` throws.
   */
  tryRead?(into: Uint8Array, offset: number): boolean;
  /**
   * The extents of a range, in order, without gaps, together exactly the range; neighbours may be of one kind.
   * A disk without this member is all data.
   */
  extents?(offset: number, length: number): AsyncIterable<Extent>;
  /** Releases what the disk holds; flushes first if it was written. A second call does nothing. */
  close(): Promise<void>;
}

/** How zeros may be written. */
export interface ZeroOptions {
  /** Space may be given back (default true). */
  readonly unmap?: boolean;
}

/** A disk that can be written. A write is durable once a later `flush` has resolved. */
export interface WritableDisk extends Disk {
  /** @throws CalveError `out-of-range`, `io`, `no-space`, `closed` */
  write(from: Uint8Array, offset: number): Promise<void>;
  flush(): Promise<void>;
  /** The range reads zeros afterwards. */
  writeZeroes?(offset: number, length: number, options?: ZeroOptions): Promise<void>;
  /** The range's content is no longer needed; what it reads afterwards is zeros or what it read before. */
  discard?(offset: number, length: number): Promise<void>;
  /** Growth reads zeros. */
  resize?(size: number): Promise<void>;
}
