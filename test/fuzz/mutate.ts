import { seededRandom } from '../support/random.ts';
import type { Original } from './corpus.ts';
import type { Field } from './fields.ts';

/** An image that was made of a sound one, and how, in words. */
export interface Mutant {
  readonly original: string;
  readonly bytes: Buffer;
  readonly changes: readonly string[];
}

/** Images that take many times as long to use as others do: the share of their cases that they keep. */
const SLOW: Readonly<Record<string, number>> = { luks: 1 / 8, 'clusters-64k': 1 / 4 };
const COPIED = 1n << 63n;
/** The most bytes that a file grows by. */
const GROWTH = 1 << 20;

/** The case of a number: the same from the same seed. */
export function mutantOf(corpus: readonly Original[], seed: number, number: number): Mutant {
  // Seeds of neighbours are kept apart, as the first numbers of a generator follow its seed.
  const random = seededRandom(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b));
  return new Mutation(corpus, random).run();
}

class Mutation {
  readonly #corpus: readonly Original[];
  readonly #random: () => number;
  readonly #original: Original;
  readonly #changes: string[] = [];
  #bytes: Buffer;

  constructor(corpus: readonly Original[], random: () => number) {
    this.#corpus = corpus;
    this.#random = random;
    let original = this.#one(corpus);
    if (random() >= (SLOW[original.name] ?? 1)) original = this.#one(corpus);
    this.#original = original;
    this.#bytes = Buffer.from(original.bytes);
  }

  run(): Mutant {
    const times = 1 + this.#below(3);
    for (let time = 0; time < times; time += 1) this.#changeOnce();
    return { original: this.#original.name, bytes: this.#bytes, changes: this.#changes };
  }

  #changeOnce(): void {
    switch (this.#below(12)) {
      case 0:
        this.#resize();
        break;
      case 1:
        this.#splice();
        break;
      default:
        this.#changeField();
        break;
    }
  }

  #changeField(): void {
    const [name, field] = this.#field();
    const value = this.#valueFor(field);
    this.#put(field, value);
    this.#changes.push(`${name} at ${field.at}: 0x${value.toString(16)}`);
  }

  #valueFor(field: Field): bigint {
    const { width } = field;
    const bits = BigInt(width * 8);
    const now = this.#get(field);
    switch (this.#below(8)) {
      case 0:
      case 1:
        return now ^ (1n << BigInt(this.#below(width * 8)));
      case 2:
        return this.#one([0n, 1n, (1n << bits) - 1n, 1n << (bits - 1n), (1n << (bits - 1n)) - 1n]);
      case 3:
        return now + this.#one([1n, -1n, 8n, -8n, 512n, now, BigInt(this.#clusterSize)]);
      case 4:
        return this.#one([
          1n << 53n,
          (1n << 53n) - 1n,
          1n << 56n,
          (1n << 56n) - 512n,
          1n << 62n,
          1n << 31n,
          1n << 32n,
        ]);
      case 5:
        return this.#get({ ...this.#field()[1], width });
      case 6: {
        const cluster = this.#below(Math.ceil(this.#bytes.length / this.#clusterSize) + 2);
        return BigInt(cluster * this.#clusterSize) | (this.#below(2) === 0 ? COPIED : 0n);
      }
      default:
        return BigInt(this.#below(2 ** 32)) * BigInt(this.#below(2 ** 32));
    }
  }

  /** Part of an image, its own or another, over a part of this one. */
  #splice(): void {
    const from = this.#below(2) === 0 ? this.#original : this.#one(this.#corpus);
    const length = 1 << this.#below(10);
    const [source, target] = [this.#place(from), this.#place(this.#original)];
    from.bytes.copy(this.#bytes, target, source, source + length);
    this.#changes.push(`${length} bytes at ${target}: those of ${from.name} at ${source}`);
  }

  #resize(): void {
    const { length } = this.#bytes;
    const sizes = [
      this.#below(length + 1),
      this.#below(600),
      length - this.#below(3 * this.#clusterSize),
      length + this.#below(GROWTH),
    ];
    const size = Math.max(0, this.#one(sizes));
    const bytes = Buffer.alloc(size);
    this.#bytes.copy(bytes);
    this.#bytes = bytes;
    this.#changes.push(`a file of ${size} bytes`);
  }

  #place({ bytes }: Original): number {
    if (this.#below(2) === 0) return this.#below(bytes.length);
    const { at } = this.#field()[1];
    return Math.min(at, bytes.length - 1);
  }

  #field(): readonly [string, Field] {
    const [name, fields] = this.#one([...this.#original.fields]);
    return [name, this.#one(fields)];
  }

  get #clusterSize(): number {
    return 2 ** this.#original.bytes.readUInt32BE(20);
  }

  #get({ at, width }: Field): bigint {
    let value = 0n;
    for (let byte = at; byte < at + width; byte += 1) value = (value << 8n) | BigInt(this.#bytes[byte] ?? 0);
    return value;
  }

  #put({ at, width }: Field, value: bigint): void {
    for (let byte = at + width - 1, rest = BigInt.asUintN(64, value); byte >= at; byte -= 1, rest >>= 8n) {
      if (byte < this.#bytes.length) this.#bytes[byte] = Number(rest & 255n);
    }
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #one<Item>(items: readonly Item[]): Item {
    const item = items[this.#below(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }
}
