/** Which parts of a range have come; none may come twice. */
export class Coverage {
  /** Starts and ends by turns, ascending; neighbours are one part. */
  readonly #bounds: number[] = [];

  /** Adds a part, unless some of it is there already: then it returns false. */
  add(start: number, end: number): boolean {
    const bounds = this.#bounds;
    const last = bounds.length - 1;
    if (last < 0 || start > (bounds[last] ?? 0)) {
      bounds.push(start, end);
    } else if (start === bounds[last]) {
      bounds[last] = end;
    } else {
      return this.#insert(start, end);
    }
    return true;
  }

  /** Whether exactly the range from `start` to `end` has come. */
  isWhole(start: number, end: number): boolean {
    return this.#bounds.length === 2 && this.#bounds[0] === start && this.#bounds[1] === end;
  }

  #insert(start: number, end: number): boolean {
    const bounds = this.#bounds;
    let [low, high] = [0, bounds.length / 2];
    // The first part that ends after `start`.
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((bounds[middle * 2 + 1] ?? 0) > start) high = middle;
      else low = middle + 1;
    }
    const at = low * 2;
    const next = bounds[at];
    if (next !== undefined && next < end) return false;
    const [joinsBefore, joinsNext] = [at > 0 && bounds[at - 1] === start, next === end];
    if (joinsBefore && joinsNext) bounds.splice(at - 1, 2);
    else if (joinsBefore) bounds[at - 1] = end;
    else if (joinsNext) bounds[at] = start;
    else bounds.splice(at, 0, start, end);
    return true;
  }
}
