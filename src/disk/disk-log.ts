import type { CompactBytes } from './compact-bytes.ts';

/** Something that was done to a disk, as its log keeps it. */
export interface RecordedOperation {
  readonly kind: 'write' | 'writeZeroes' | 'discard' | 'resize' | 'flush';
  /** First byte of the range; 0 of a resize or a flush. */
  readonly offset: number;
  /** Bytes of the range; the new size of a resize; 0 of a flush. */
  readonly length: number;
  /** What a write wrote. */
  readonly contents?: CompactBytes;
  /** Its place in the log. */
  readonly index: number;
  /** The moment when it began. */
  readonly begun: number;
  /** The moment when it had succeeded; infinite while it is under way, and for good when it failed. */
  readonly ended: number;
}

/**
 * What was done to a disk, in the order in which it began. Time is counted in moments: each beginning and each
 * successful end of an operation takes one.
 */
export class DiskLog {
  readonly #operations: RecordedOperation[] = [];
  #moment = 0;

  get operations(): readonly RecordedOperation[] {
    return this.#operations;
  }

  /** How many moments have passed. As a cut, it tells what was done by now from what is done later. */
  get moment(): number {
    return this.#moment;
  }

  /** Does something and keeps it. */
  async record(
    operation: Pick<RecordedOperation, 'kind' | 'offset' | 'length' | 'contents'>,
    action: () => Promise<void>,
  ): Promise<void> {
    const index = this.#operations.length;
    const recorded = { ...operation, index, begun: this.#moment++, ended: Number.POSITIVE_INFINITY };
    this.#operations.push(recorded);
    await action();
    recorded.ended = this.#moment++;
  }

  /**
   * The operations whose effect may be on the disk when power is lost at a cut, in order, flushes left out.
   * `durable` are those that certainly are: they had ended when a flush began that had ended by the cut. What was
   * under way when the flush began is not, though it may have ended before the flush did.
   */
  *before(cut: number): Generator<{ operation: RecordedOperation; durable: boolean }> {
    let flushed = 0;
    for (const { kind, begun, ended } of this.#operations) {
      if (kind === 'flush' && ended < cut) flushed = begun;
    }
    for (const operation of this.#operations) {
      if (operation.begun >= cut) return;
      if (operation.kind !== 'flush') yield { operation, durable: operation.ended < flushed };
    }
  }
}
