/** A table in the file, with entries of 8 bytes. */
export interface TablePlace {
  /** Bytes, from the start of the file; a multiple of 8. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** A range of the file that lies in the same tables throughout. */
export interface TableSegment<Table extends TablePlace> {
  readonly offset: number;
  readonly length: number;
  /** The first of those tables in the order given: what is found there is told as found in it. */
  readonly table: Table;
  /** How many tables there are. */
  readonly times: number;
}

/**
 * Cuts what tables cover into segments, in the order of the file, so that each byte is read once however many tables
 * claim it: in a sound image none overlap, and a hostile one with 65,536 snapshots of one table must cost no more than
 * that table.
 */
export function tableSegments<Table extends TablePlace>(tables: readonly Table[]): TableSegment<Table>[] {
  const begins = order(tables, ({ offset }) => offset);
  const ends = order(tables, ({ offset, length }) => offset + length);
  const endOf = (index: number) => (tables[index]?.offset ?? 0) + (tables[index]?.length ?? 0);
  const segments: TableSegment<Table>[] = [];
  const open = new OpenTables();
  let from = 0;
  let begun = 0;
  for (const ending of ends) {
    const end = endOf(ending);
    for (; begun < begins.length; begun += 1) {
      const index = begins[begun] ?? 0;
      const offset = tables[index]?.offset ?? 0;
      if (offset >= end) break;
      close(offset);
      open.add(index);
    }
    close(end);
    open.delete(ending);
  }
  return segments;

  /** Ends the segment that has been open up to here, if there is one. */
  function close(at: number): void {
    const table = at > from ? tables[open.first()] : undefined;
    if (table) segments.push({ offset: from, length: at - from, table, times: open.size });
    from = at;
  }
}

/** The positions of the tables that are not empty, ordered by a place of theirs. */
function order<Table extends TablePlace>(
  tables: readonly Table[],
  placeOf: (table: Table) => number,
): Uint32Array {
  const places = Float64Array.from(tables, placeOf);
  const order = Uint32Array.from(tables.keys()).filter((index) => (tables[index]?.length ?? 0) > 0);
  return order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
}

/** Numbers of tables, the lowest at hand: a binary heap, from which what was deleted falls out when it gets to the top. */
class OpenTables {
  readonly #open = new Set<number>();
  readonly #heap: number[] = [];

  get size(): number {
    return this.#open.size;
  }

  add(index: number): void {
    this.#open.add(index);
    const heap = this.#heap;
    let at = heap.push(index) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#at(parent) <= index) break;
      heap[at] = this.#at(parent);
      at = parent;
    }
    heap[at] = index;
  }

  delete(index: number): void {
    this.#open.delete(index);
  }

  /** The lowest number, -1 when there is none. */
  first(): number {
    while (this.#heap.length > 0 && !this.#open.has(this.#at(0))) this.#pop();
    return this.#heap[0] ?? -1;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (this.#at(child + 1) < this.#at(child)) child += 1;
      if (this.#at(child) >= last) break;
      heap[at] = this.#at(child);
      at = child;
    }
    heap[at] = last;
  }

  #at(index: number): number {
    return this.#heap[index] ?? Number.POSITIVE_INFINITY;
  }
}
