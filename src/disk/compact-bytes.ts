/** Bytes that are looked at as one when runs of one value are sought. */
const UNIT = 512;

/** A run of bytes: of one value, or as they are. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly content: number | Uint8Array;
}

/** A copy of bytes that takes no memory for their long runs of one value: zeros, and what tests fill blocks with. */
export class CompactBytes {
  readonly length: number;
  readonly #runs: readonly Run[];

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    this.#runs = runsOf(bytes);
  }

  /** Bytes of memory that the contents take. */
  get held(): number {
    return this.#runs.reduce(
      (sum, { content }) => sum + (typeof content === 'number' ? 1 : content.length),
      0,
    );
  }

  /** A new array of the bytes `start` to `end`, exclusive. */
  slice(start = 0, end: number = this.length): Uint8Array {
    const bytes = new Uint8Array(end - start);
    for (const run of this.#runs) {
      const [from, to] = [Math.max(run.start, start), Math.min(run.end, end)];
      if (from >= to) continue;
      if (typeof run.content === 'number') bytes.fill(run.content, from - start, to - start);
      else bytes.set(run.content.subarray(from - run.start, to - run.start), from - start);
    }
    return bytes;
  }
}

function runsOf(bytes: Uint8Array): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < bytes.length; ) {
    const value = onlyValue(bytes, start);
    let end = Math.min(start + UNIT, bytes.length);
    while (end < bytes.length && onlyValue(bytes, end) === value) end = Math.min(end + UNIT, bytes.length);
    // Not `slice`, which of a Buffer is no copy.
    runs.push({ start, end, content: value ?? new Uint8Array(bytes.subarray(start, end)) });
    start = end;
  }
  return runs;
}

/** The value of all bytes of a unit, or undefined where they differ. */
function onlyValue(bytes: Uint8Array, start: number): number | undefined {
  const end = Math.min(start + UNIT, bytes.length);
  const allEqual = Buffer.compare(bytes.subarray(start, end - 1), bytes.subarray(start + 1, end)) === 0;
  return allEqual ? bytes[start] : undefined;
}
