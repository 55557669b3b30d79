/** Bytes of guest data in a batch, at least one cluster. */
const BATCH = 2 ** 19;

/** The two buffers of a batch, as compressing takes them. */
export interface BufferPair {
  input: Uint8Array<ArrayBuffer>;
  output: Uint8Array<ArrayBuffer>;
}

/** Buffers of batches, used again and again: as many as there are batches under way, however large the disk. */
export class BatchBuffers {
  /** Clusters that fit into a batch. */
  readonly clusters: number;
  readonly #inputLength: number;
  readonly #outputLength: number;
  readonly #free: BufferPair[] = [];

  /** @param compressed whether the batches need room for compressed clusters */
  constructor(clusterSize: number, compressed: boolean) {
    this.clusters = Math.max(1, BATCH / clusterSize);
    this.#inputLength = this.clusters * clusterSize;
    this.#outputLength = compressed ? this.#inputLength : 0;
  }

  take(): BufferPair {
    return (
      this.#free.pop() ?? {
        // What is in them does not count before it is written.
        input: Buffer.allocUnsafeSlow(this.#inputLength),
        output: Buffer.allocUnsafeSlow(this.#outputLength),
      }
    );
  }

  /** Gives a pair back; nobody may use it from then on. */
  give({ input, output }: BufferPair): void {
    this.#free.push({ input, output });
  }
}
