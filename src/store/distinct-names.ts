/**
 * A name for each item, all different. An item's names are tried in order: the first that no other item wants, too; when
 * all are wanted twice, the last one with a number.
 * @param namesOf an item's names, the plainest first; never empty
 */
export function distinctNames<T>(
  items: readonly T[],
  namesOf: (item: T) => readonly [string, ...string[]],
): Map<T, string> {
  const chosen = new Map<T, string>();
  const taken = new Set<string>();
  let waiting = [...items];
  for (let tier = 0; waiting.length > 0; tier += 1) {
    const wanted = waiting.map((item) => nameAt(namesOf(item), tier));
    const counts = new Map<string, number>();
    for (const name of wanted) counts.set(name, (counts.get(name) ?? 0) + 1);
    const rest: T[] = [];
    for (const [at, item] of waiting.entries()) {
      const name = wanted[at] ?? '';
      // Where only numbers are left, the first comes first.
      const isNumbered = tier >= namesOf(item).length;
      if (taken.has(name) || ((counts.get(name) ?? 0) > 1 && !isNumbered)) rest.push(item);
      else {
        chosen.set(item, name);
        taken.add(name);
      }
    }
    waiting = rest;
  }
  return chosen;
}

function nameAt(names: readonly string[], tier: number): string {
  return names[tier] ?? numbered(names.at(-1) ?? '', tier - names.length + 2);
}

/** `debian-2`. */
export function numbered(name: string, number: number): string {
  return `${name}-${number}`;
}
