import { type Disk, isWritable } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';

/** Requests that are sent to measure how long they take. Sizes and offsets are bytes. */
export interface BenchRequests {
  readonly write: boolean;
  readonly count: number;
  /** How many are under way at a time. */
  readonly depth: number;
  readonly size: number;
  readonly offset: number;
  /** From one request's offset to the next one's. Past the end of the disk they begin anew. */
  readonly step: number;
  /** The byte that is written. */
  readonly pattern: number;
  /** Requests from one flush to the next; 0: none. */
  readonly flushInterval: number;
  /** All that is under way ends before a flush. */
  readonly drains: boolean;
  readonly signal: AbortSignal;
}

/** @throws CalveError what the disk throws; the signal's reason */
export async function sendRequests(disk: Disk, requests: BenchRequests): Promise<void> {
  const { count, depth, size, step, flushInterval, drains, signal } = requests;
  const running = new Set<Promise<void>>();
  const start = (request: Promise<void>) => {
    const tracked = request.finally(() => running.delete(tracked));
    tracked.catch(() => {});
    running.add(tracked);
  };
  const buffers = Array.from({ length: Math.min(depth, count) }, () => Buffer.alloc(size, requests.pattern));
  let at = requests.offset;
  for (let sent = 0; sent < count; sent += 1) {
    signal.throwIfAborted();
    while (running.size >= Math.max(depth, 1)) await Promise.race(running);
    const buffer = buffers[sent % buffers.length] ?? Buffer.alloc(size, requests.pattern);
    start(send(disk, requests.write, buffer, at));
    at += step;
    if (at >= disk.size) at = disk.size === 0 ? 0 : at % disk.size;
    if (flushInterval === 0 || (sent + 1) % flushInterval !== 0) continue;
    if (drains) await Promise.all(running);
    if (isWritable(disk)) start(disk.flush());
    if (drains) await Promise.all(running);
  }
  await Promise.all(running);
}

async function send(disk: Disk, write: boolean, buffer: Buffer, offset: number): Promise<void> {
  if (!write) {
    if (disk.tryRead?.(buffer, offset) !== true) await disk.read(buffer, offset);
  } else if (isWritable(disk)) await disk.write(buffer, offset);
  else throw new CalveError('denied', 'the image was opened for reading');
}
