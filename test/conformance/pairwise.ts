/**
 * A few of some rows, in which every two values that stand together in any row still do: the row with the most pairs
 * that are new, again and again.
 */
export function pairwise<Row extends object>(rows: readonly Row[]): Row[] {
  const numbers = new Map<string, number>();
  const numberOf = (pair: string): number => {
    const number = numbers.get(pair) ?? numbers.size;
    numbers.set(pair, number);
    return number;
  };
  const pairsOf = rows.map((row) => {
    const values = Object.entries(row).map(([axis, value]) => `${axis} ${value}`);
    return values.flatMap((one, index) =>
      values.slice(index + 1).map((other) => numberOf(`${one}, ${other}`)),
    );
  });
  const covered = new Uint8Array(numbers.size);
  const chosen: Row[] = [];
  while (true) {
    let best = -1;
    let most = 0;
    pairsOf.forEach((pairs, index) => {
      let fresh = 0;
      for (const pair of pairs) if (covered[pair] === 0) fresh += 1;
      if (fresh > most) [best, most] = [index, fresh];
    });
    const row = rows[best];
    if (row === undefined) return chosen;
    chosen.push(row);
    for (const pair of pairsOf[best] ?? []) covered[pair] = 1;
  }
}
