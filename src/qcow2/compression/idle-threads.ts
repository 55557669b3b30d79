import { CalveError } from '../../errors/index.ts';
import type { Codec } from './compress-cluster.ts';
import type { CompressThread } from './compress-thread.ts';

/** How long a thread waits for its next pool, in milliseconds. */
const WAITS = 10_000;
/** As many as one pool has: those that wait longest end to make room. */
const MOST = 3;

/** Threads of this process that no pool has, and the timer that ends each. */
const idle = new Map<CompressThread, NodeJS.Timeout>();

/**
 * A thread that compresses so and that an earlier pool left. Starting one takes as long as compressing some megabytes,
 * and whoever writes many images needs the same ones again and again.
 */
export function takeIdleThread(codec: Codec): CompressThread | undefined {
  for (const [thread, timer] of idle) {
    const { compression, level, clusterSize } = thread.codec;
    const alike = compression === codec.compression && level === codec.level;
    if (!alike || clusterSize !== codec.clusterSize) continue;
    clearTimeout(timer);
    idle.delete(thread);
    if (thread.isIdle) return thread;
  }
  return undefined;
}

/** Keeps a thread without work for the next pool, for a while. Keeps no process alive. False when it has work, or died. */
export function keepIdleThread(thread: CompressThread): boolean {
  if (!thread.isIdle) return false;
  for (const [oldest, timer] of idle) {
    if (idle.size < MOST) break;
    clearTimeout(timer);
    end(oldest);
  }
  idle.set(thread, setTimeout(end, WAITS, thread).unref());
  return true;
}

function end(thread: CompressThread): void {
  idle.delete(thread);
  void thread.end(new CalveError('closed', 'a thread that compresses clusters had nothing to do'));
}
