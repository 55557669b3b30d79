/**
 * Does something with each item, several at a time. After an error nothing more is begun, and it is thrown when all that
 * was begun has ended: what they work on is theirs until then.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  atATime: number,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  let isOver = false;
  const worker = async (): Promise<void> => {
    try {
      for (let next = waiting.next(); !isOver && next.done !== true; next = waiting.next()) {
        await action(next.value);
      }
    } catch (error) {
      isOver = true;
      throw error;
    }
  };
  const workers = Array.from({ length: atATime }, worker);
  await Promise.allSettled(workers);
  await Promise.all(workers);
}
