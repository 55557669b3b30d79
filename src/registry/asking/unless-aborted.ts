import { CalveError } from '../../errors/index.ts';

/**
 * What comes of something that others may wait for too, unless this caller gives up first: then it goes on without them.
 * @throws CalveError `aborted`; what the promise is rejected with
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: abort, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new CalveError('aborted', 'the request was ended', { cause: signal.reason }));
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  promise.catch(() => {}); // it may fail when nobody waits any more
  try {
    return await Promise.race([promise, abort]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
