/** Passes items on, and asks for the next one before the one in hand is done with. */
export async function* readAhead<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (let item = await next; !item.done; item = await next) {
      next = iterator.next();
      // Whoever asks for it sees the failure; until then nobody does.
      next.catch(() => {});
      yield item.value;
    }
  } finally {
    // What was asked for must not still be running when the caller goes on.
    await next.catch(() => {});
    await iterator.return?.();
  }
}
