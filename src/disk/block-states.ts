/** Blocks that one page of states covers. */
const PAGE = 4096;

/**
 * Whose a block of an overlay is: `below` nothing was written over it, `own` the overlay holds its bytes, `zero` the
 * overlay says that it is zeros.
 */
export type BlockState = 'below' | 'own' | 'zero';

const STATES: readonly BlockState[] = ['below', 'own', 'zero'];

/** Bytes of one state. */
interface Run {
  readonly offset: number;
  readonly length: number;
  readonly state: BlockState;
}

/**
 * The states of all blocks of a disk, by byte; takes memory for those alone that are not `below`, and their
 * neighbours.
 */
export class BlockStates {
  readonly #size: number;
  readonly #blockSize: number;
  readonly #pages = new Map<number, Uint8Array>();

  /** @param size of the disk, in bytes; its last block may be short */
  constructor(size: number, blockSize: number) {
    this.#size = size;
    this.#blockSize = blockSize;
  }

  /** Where the block of a byte starts. */
  start(offset: number): number {
    return offset - (offset % this.#blockSize);
  }

  /** Where the block ends that ends at `end` or holds it. */
  end(end: number): number {
    return Math.min(Math.ceil(end / this.#blockSize) * this.#blockSize, this.#size);
  }

  /** The state of a byte's block. */
  get(offset: number): BlockState {
    const block = Math.floor(offset / this.#blockSize);
    return STATES[this.#pages.get(Math.floor(block / PAGE))?.[block % PAGE] ?? 0] ?? 'below';
  }

  /** Sets every block of which bytes lie in `offset` to `end`, exclusive. */
  set(offset: number, end: number, state: BlockState): void {
    const endBlock = Math.ceil(end / this.#blockSize);
    for (let block = Math.floor(offset / this.#blockSize); block < endBlock; ) {
      const number = Math.floor(block / PAGE);
      const pageEnd = Math.min((number + 1) * PAGE, endBlock);
      let page = this.#pages.get(number);
      if (!page) {
        page = new Uint8Array(PAGE);
        this.#pages.set(number, page);
      }
      page.fill(STATES.indexOf(state), block % PAGE, ((pageEnd - 1) % PAGE) + 1);
      block = pageEnd;
    }
  }

  /** A range in runs of one state, each looked up when the one before is done with. */
  *runs(offset: number, length: number): Generator<Run> {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const runEnd = Math.min(this.#runEnd(at, end), end);
      yield { offset: at, length: runEnd - at, state: this.get(at) };
      at = runEnd;
    }
  }

  /** Where the run of one state ends that holds the byte `offset`; beyond `limit` it is not looked for. */
  #runEnd(offset: number, limit: number): number {
    const state = STATES.indexOf(this.get(offset));
    let block = Math.floor(offset / this.#blockSize) + 1;
    while (block * this.#blockSize < limit) {
      const number = Math.floor(block / PAGE);
      const page = this.#pages.get(number);
      if ((page?.[block % PAGE] ?? 0) !== state) break;
      block = page ? block + 1 : (number + 1) * PAGE;
    }
    return block * this.#blockSize;
  }
}
