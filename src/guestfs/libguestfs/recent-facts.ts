/** What is known of inodes, the latest of it. */
export class RecentFacts<Fact> {
  readonly #facts = new Map<number, Fact>();
  readonly #most: number;

  /** @param most how many are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get(number: number): Fact | undefined {
    return this.#facts.get(number);
  }

  keep(number: number, fact: Fact): Fact {
    this.#facts.delete(number);
    this.#facts.set(number, fact);
    if (this.#facts.size > this.#most) {
      const [oldest] = this.#facts.keys();
      if (oldest !== undefined) this.#facts.delete(oldest);
    }
    return fact;
  }

  clear(): void {
    this.#facts.clear();
  }
}
