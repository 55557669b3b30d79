import type { ReplyFormat } from '../protocol/reply-format.ts';
import type { ChosenContext } from './block-status.ts';
import type { Hold } from './open-exports.ts';
import type { ReplyBatch } from './reply-batch.ts';

/** What a command works with. */
export interface CommandScene {
  readonly format: ReplyFormat;
  readonly hold: Hold;
  readonly contexts: readonly ChosenContext[];
  readonly batch: ReplyBatch;
  /** The most that is read, or held, in one piece, bytes. */
  readonly piece: number;
  /** Waits until there is room to send more. */
  readonly room: () => Promise<void>;
  /** Told of a failure that its client cannot be told in full. */
  readonly onFailure: (error: unknown) => void;
}
