/** What a range of an image is, and where it comes from: QEMU's MapEntry. Offsets and lengths are bytes. */
export interface Allocation {
  readonly offset: number;
  readonly length: number;
  /** How many images lie above the one that decides. */
  readonly depth: number;
  /** An image of the chain decides it. */
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  /** Where it lies in `filename`, if it lies anywhere as it is. */
  readonly host: number | undefined;
  /** The file that holds it. */
  readonly filename: string | undefined;
}

/** Neighbours that are alike, and lie one behind the other, as one. */
export async function* merged(allocations: AsyncIterable<Allocation>): AsyncGenerator<Allocation> {
  let open: Allocation | undefined;
  for await (const next of allocations) {
    if (open !== undefined && continues(open, next)) open = { ...open, length: open.length + next.length };
    else {
      if (open !== undefined) yield open;
      open = next;
    }
  }
  if (open !== undefined) yield open;
}

function continues(a: Allocation, b: Allocation): boolean {
  const alike = a.zero === b.zero && a.data === b.data && a.present === b.present && a.depth === b.depth;
  if (!alike || a.filename !== b.filename) return false;
  return a.host === undefined ? b.host === undefined : a.host + a.length === b.host;
}
