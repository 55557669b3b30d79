/**
 * Runs a job for each item, so many at a time, each begun in the order of the items and with the number of a slot, from 0
 * on, that no other job has meanwhile. After an error no more jobs are begun; it is thrown when all that were begun have
 * ended.
 */
export async function inParallel<Item>(
  items: AsyncIterable<Item>,
  count: number,
  job: (item: Item, slot: number) => Promise<void>,
): Promise<void> {
  const free = Array.from({ length: count }, (_, slot) => slot).reverse();
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      while (free.length === 0) await Promise.race(running);
      if (failures.length > 0) break;
      const slot = free.pop() ?? 0;
      const run = job(item, slot)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          free.push(slot);
          running.delete(run);
        });
      running.add(run);
    }
  } catch (error) {
    failures.push(error);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
