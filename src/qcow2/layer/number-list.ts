type Numbers = Uint16Array | Uint32Array | Float64Array;

const PIECE_BITS = 14;
const PIECE = 2 ** PIECE_BITS;

/** Numbers of one width in a row. It grows by pieces, so that growing neither copies nor leaves much unused. */
export class NumberList {
  readonly #make: (length: number) => Numbers;
  readonly #pieces: Numbers[] = [];
  #length = 0;

  /** @param kind the typed array whose numbers these are */
  constructor(kind: new (length: number) => Numbers) {
    this.#make = (length) => new kind(length);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length % PIECE === 0) this.#pieces.push(this.#make(PIECE));
    this.#length += 1;
    this.set(this.#length - 1, value);
  }

  /** The number at `index`, which lies below `length`. */
  get(index: number): number {
    return this.#pieces[index >>> PIECE_BITS]?.[index % PIECE] ?? 0;
  }

  /** Changes the number at `index`, which lies below `length`. */
  set(index: number, value: number): void {
    const piece = this.#pieces[index >>> PIECE_BITS];
    if (piece) piece[index % PIECE] = value;
  }
}
