/** What stands to the left of one version in a log. */
export interface GraphRows {
  /** Rows of their own above the version, where lines of descent meet. */
  readonly above: readonly string[];
  /** Before the version's first line. */
  readonly first: string;
  /** Before its further lines. */
  readonly more: string;
  /** Rows of their own below it, where lines part or end. */
  readonly below: readonly string[];
}

/**
 * Draws lines of descent beside a log: `*` a version, `|` a line that passes it, slashes where lines meet or part.
 * Versions must come child before parent.
 */
export class Graph {
  /** The version that each line is waiting for, from left to right. */
  readonly #lines: string[] = [];

  /** The rows of the next version. */
  place(digest: string, parents: readonly string[]): GraphRows {
    let at = this.#lines.indexOf(digest);
    if (at === -1) at = this.#lines.push(digest) - 1;
    const above = this.#join(digest, at);
    const first = this.#row((line) => (line === at ? '*' : '|'));
    const more = this.#row((line) => (line === at && parents.length === 0 ? ' ' : '|'));
    return { above, first, more, below: this.#goOn(at, parents) };
  }

  /** Lines further right that wait for the same version run into line `at`. */
  #join(digest: string, at: number): string[] {
    const rows: string[] = [];
    for (let from = this.#lines.lastIndexOf(digest); from > at; from = this.#lines.lastIndexOf(digest)) {
      for (let step = from; step > at; step--) {
        const cells = new Map<number, string>([[2 * step - 1, '/']]);
        for (const line of this.#lines.keys()) {
          if (line < from) cells.set(2 * line, '|');
          else if (line > from)
            cells.set(step === from ? 2 * line - 1 : 2 * line - 2, step === from ? '/' : '|');
        }
        rows.push(draw(cells));
      }
      this.#lines.splice(from, 1);
    }
    return rows;
  }

  /** Line `at` waits for the parents now: none ends it, several fork it. */
  #goOn(at: number, parents: readonly string[]): string[] {
    const rows: string[] = [];
    this.#lines.splice(at, 1, ...parents.slice(0, 1));
    if (parents.length === 0 && at < this.#lines.length) {
      rows.push(
        draw(
          new Map([...this.#lines.keys()].map((line) => (line < at ? [2 * line, '|'] : [2 * line + 1, '/']))),
        ),
      );
    }
    for (const [nth, parent] of parents.slice(1).entries()) {
      const from = at + nth;
      const cells = new Map<number, string>([[2 * from + 1, '\\']]);
      for (const line of this.#lines.keys())
        cells.set(line > from ? 2 * line + 1 : 2 * line, line > from ? '\\' : '|');
      rows.push(draw(cells));
      this.#lines.splice(from + 1, 0, parent);
    }
    return rows;
  }

  #row(mark: (line: number) => string): string {
    return draw(new Map([...this.#lines.keys()].map((line) => [2 * line, mark(line)])));
  }
}

/** Characters at their columns, spaces between. */
function draw(cells: ReadonlyMap<number, string>): string {
  const width = Math.max(0, ...cells.keys()) + 1;
  return Array.from({ length: width }, (_, column) => cells.get(column) ?? ' ').join('');
}
