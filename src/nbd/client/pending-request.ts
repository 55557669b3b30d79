import type { CalveError } from '../../errors/index.ts';
import { Command } from '../protocol/numbers.ts';
import { Coverage } from './coverage.ts';
import type { StatusExtent } from './status-chunk.ts';

/** A command to a server. Offset and length in bytes. */
export interface ClientCommand {
  readonly command: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** Where the data of a read go: exactly `length` bytes. */
  readonly into?: Buffer;
  /** The data of a write: exactly `length` bytes. */
  readonly from?: Uint8Array;
}

/** What a server said of a range, by the name of the context. */
export type StatusByContext = ReadonlyMap<string, readonly StatusExtent[]>;

/** What a command that carries no data weighs, and the least that any does, bytes. */
const LEAST_WEIGHT = 64 * 1024;

/** What a command counts among those under way: it bounds their bytes, and how many they are. */
export function weightOf({ into, from }: ClientCommand): number {
  return Math.max(LEAST_WEIGHT, (into ?? from)?.length ?? 0);
}

/** A command that was sent and whose reply is still to come, or is coming. */
export class PendingRequest {
  readonly command: ClientCommand;
  readonly cookieLow: number;
  readonly coverage: Coverage = new Coverage();
  /** By the numbers of the contexts. */
  readonly status: Map<number, readonly StatusExtent[]> = new Map();
  /** Set when the server said that it failed, though more of its reply may follow. */
  failure: CalveError | undefined;
  readonly answered: PromiseWithResolvers<StatusByContext> = Promise.withResolvers();

  constructor(command: ClientCommand, cookieLow: number) {
    this.command = command;
    this.cookieLow = cookieLow;
  }

  get isRead(): boolean {
    return this.command.command === Command.read;
  }

  get isStatus(): boolean {
    return this.command.command === Command.blockStatus;
  }

  /** What is missing of the reply; undefined when it is complete. */
  missing(contexts: ReadonlySet<number>): string | undefined {
    const { offset, length } = this.command;
    if (this.failure) return undefined;
    if (this.isRead && !this.coverage.isWhole(offset, offset + length)) return 'data';
    if (this.isStatus && this.status.size < contexts.size) return 'the status of a context';
    return undefined;
  }
}
