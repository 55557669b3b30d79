/** Bytes that caches hold together: those of every image of a chain share one budget. */
export class CacheBudget {
  readonly limit: number;
  #used = 0;
  readonly #entries = new Set<CacheEntry>();

  /** @param limit bytes */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes held now. More than `limit` only while what is pinned is more. */
  get used(): number {
    return this.#used;
  }

  /** Counts an entry in, and out as many others as that takes: the ones that nobody asked for lately. */
  add(entry: CacheEntry): void {
    this.#entries.add(entry);
    this.#used += entry.bytes;
    // Each is looked at twice at most: once to forget that it was asked for, once to go.
    for (let looks = 2 * this.#entries.size; this.#used > this.limit && looks > 0; looks -= 1) {
      const [oldest] = this.#entries;
      if (!oldest) return;
      this.#entries.delete(oldest);
      if (oldest.pinned || oldest.asked || oldest === entry) {
        oldest.asked = false;
        this.#entries.add(oldest);
      } else {
        this.#used -= oldest.bytes;
        oldest.evict();
      }
    }
  }

  remove(entry: CacheEntry): void {
    if (this.#entries.delete(entry)) this.#used -= entry.bytes;
  }
}

interface CacheEntry {
  readonly bytes: number;
  /** Since it was last in line to go. */
  asked: boolean;
  pinned: boolean;
  evict(): void;
}

/** Values by number, kept while the budget lasts; pinned ones are kept in any case. */
export class BoundedCache<Value> {
  readonly #budget: CacheBudget;
  readonly #bytesEach: number;
  readonly #onEvict: (value: Value) => void;
  readonly #entries = new Map<number, CacheEntry & { readonly value: Value }>();

  /**
   * @param bytesEach what each value takes
   * @param onEvict called with each value that goes because others need its room
   */
  constructor(budget: CacheBudget, bytesEach: number, onEvict: (value: Value) => void = () => {}) {
    this.#budget = budget;
    this.#bytesEach = bytesEach;
    this.#onEvict = onEvict;
  }

  get(key: number): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    entry.asked = true;
    return entry.value;
  }

  /** Keeps a value; one that was kept under the key before is forgotten. */
  set(key: number, value: Value, pinned = false): void {
    this.delete(key);
    const entry = {
      value,
      bytes: this.#bytesEach,
      asked: true,
      pinned,
      evict: () => {
        this.#entries.delete(key);
        this.#onEvict(value);
      },
    };
    this.#entries.set(key, entry);
    this.#budget.add(entry);
  }

  /** Lets go of a pinned value when its turn comes. */
  unpin(key: number): void {
    const entry = this.#entries.get(key);
    if (entry) entry.pinned = false;
  }

  /** Keeps `value` until it is unpinned, also if its turn to go came just before. */
  pin(key: number, value: Value): void {
    const entry = this.#entries.get(key);
    if (entry?.value === value) entry.pinned = true;
    else this.set(key, value, true);
  }

  delete(key: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#budget.remove(entry);
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key);
  }
}
