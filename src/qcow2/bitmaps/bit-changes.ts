/** Bits in memory come in pieces of this many bytes: the smallest cluster, so that a cluster is a number of them. */
const CHUNK = 512;
const CHUNK_BITS = CHUNK * 8;

/**
 * Bits that were set and are not in the file yet, by page: a page is what one entry of a bitmap table says, a cluster of
 * bits. Setting bits takes no wait and no look at what the file holds; what a page reads is the file's bits or these.
 * Whole pages cost nothing.
 */
export class BitChanges {
  readonly #pageBits: number;
  readonly #chunksAPage: number;
  readonly #whole = new Set<number>();
  readonly #chunks = new Map<number, Uint8Array>();

  /** @param pageBytes a cluster */
  constructor(pageBytes: number) {
    this.#pageBits = pageBytes * 8;
    this.#chunksAPage = pageBytes / CHUNK;
  }

  /** Memory held. */
  get bytes(): number {
    return this.#chunks.size * CHUNK;
  }

  get empty(): boolean {
    return this.#chunks.size === 0 && this.#whole.size === 0;
  }

  /** Sets the bits `from` to `end`. */
  set(from: number, end: number): void {
    for (let at = from; at < end; ) {
      const page = Math.floor(at / this.#pageBits);
      const pageEnd = (page + 1) * this.#pageBits;
      if (at === page * this.#pageBits && end >= pageEnd) {
        this.drop(page);
        this.#whole.add(page);
      } else if (!this.#whole.has(page)) {
        this.#setInPage(at, Math.min(end, pageEnd));
      }
      at = pageEnd;
    }
  }

  /** The pages that have changes, in order. */
  pages(): number[] {
    const pages = new Set(this.#whole);
    for (const chunk of this.#chunks.keys()) pages.add(Math.floor(chunk / this.#chunksAPage));
    return [...pages].sort((a, b) => a - b);
  }

  /** Whether every bit of a page was set. */
  isWhole(page: number): boolean {
    return this.#whole.has(page);
  }

  has(page: number): boolean {
    if (this.#whole.has(page)) return true;
    const first = page * this.#chunksAPage;
    for (let chunk = first; chunk < first + this.#chunksAPage; chunk += 1) {
      if (this.#chunks.has(chunk)) return true;
    }
    return false;
  }

  /** Sets in the bits of a page what was set here. */
  applyTo(bits: Uint8Array, page: number): void {
    if (this.#whole.has(page)) {
      bits.fill(0xff);
      return;
    }
    const first = page * this.#chunksAPage;
    for (let index = 0; index < this.#chunksAPage && this.#chunks.size > 0; index += 1) {
      const chunk = this.#chunks.get(first + index);
      if (chunk) setIn(bits.subarray(index * CHUNK), chunk);
    }
  }

  /** Sets here what is set in the bits of a page. */
  add(bits: Uint8Array, page: number): void {
    if (this.#whole.has(page)) return;
    for (let index = 0; index < this.#chunksAPage; index += 1) {
      const from = bits.subarray(index * CHUNK, (index + 1) * CHUNK);
      if (from.some((byte) => byte !== 0)) setIn(this.#chunk(page * this.#chunksAPage + index), from);
    }
  }

  /** Forgets what was set in a page. */
  drop(page: number): void {
    this.#whole.delete(page);
    const first = page * this.#chunksAPage;
    for (let index = 0; index < this.#chunksAPage && this.#chunks.size > 0; index += 1) {
      this.#chunks.delete(first + index);
    }
  }

  clear(): void {
    this.#whole.clear();
    this.#chunks.clear();
  }

  #setInPage(from: number, end: number): void {
    for (let at = from; at < end; ) {
      const index = Math.floor(at / CHUNK_BITS);
      const start = index * CHUNK_BITS;
      setBits(this.#chunk(index), at - start, Math.min(end - start, CHUNK_BITS));
      at = start + CHUNK_BITS;
    }
  }

  #chunk(index: number): Uint8Array {
    let chunk = this.#chunks.get(index);
    if (!chunk) {
      chunk = new Uint8Array(CHUNK);
      this.#chunks.set(index, chunk);
    }
    return chunk;
  }
}

/** Sets the bits `from` to `end`; bit 0 of a byte is its least significant. */
function setBits(bytes: Uint8Array, from: number, end: number): void {
  const first = from >>> 3;
  const last = (end - 1) >>> 3;
  const head = (0xff << (from & 7)) & 0xff;
  const tail = 0xff >>> (7 - ((end - 1) & 7));
  if (first === last) {
    bytes[first] = (bytes[first] ?? 0) | (head & tail);
    return;
  }
  bytes[first] = (bytes[first] ?? 0) | head;
  bytes.fill(0xff, first + 1, last);
  bytes[last] = (bytes[last] ?? 0) | tail;
}

function setIn(into: Uint8Array, from: Uint8Array): void {
  for (let at = 0; at < from.length; at += 1) into[at] = (into[at] ?? 0) | (from[at] ?? 0);
}
