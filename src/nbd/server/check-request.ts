import { Command, CommandFlag, Errno, MAXIMUM_PAYLOAD } from '../protocol/numbers.ts';
import type { ReplyMode } from '../protocol/reply-format.ts';
import type { Request } from '../protocol/request.ts';
import type { CommandFailure } from './command-failure.ts';
import type { Hold } from './open-exports.ts';

/** The flags that each command takes; any other is refused (section "Command flags"). */
const FLAGS: Readonly<Record<number, number>> = {
  [Command.read]: CommandFlag.fua | CommandFlag.dontFragment,
  [Command.write]: CommandFlag.fua,
  [Command.flush]: CommandFlag.fua,
  [Command.trim]: CommandFlag.fua,
  [Command.cache]: CommandFlag.fua,
  [Command.writeZeroes]: CommandFlag.fua | CommandFlag.noHole | CommandFlag.fastZero,
  [Command.blockStatus]: CommandFlag.fua | CommandFlag.requestOne,
};

/** Those that, with extended headers, may carry a payload. */
const WITH_PAYLOAD: ReadonlySet<number> = new Set([Command.write, Command.blockStatus]);

const WRITES: ReadonlySet<number> = new Set([Command.write, Command.trim, Command.writeZeroes]);

/** What of a connection decides which requests it may make. */
export interface RequestRules {
  readonly mode: ReplyMode;
  readonly hold: Hold;
  /** Contexts that block status was agreed on for. */
  readonly contexts: number;
}

/**
 * Bytes that follow a request. Whoever sends more than a server has to take is cut off with `undefined`: in a compact
 * request twice as much is borne, since clients exist that ask first and learn then.
 */
export function payloadLength({ command, flags, length }: Request, mode: ReplyMode): number | undefined {
  const extended = mode === 'extended';
  const hasPayload = command === Command.write || (extended && (flags & CommandFlag.payloadLength) !== 0);
  if (!hasPayload) return 0;
  return length > (extended ? MAXIMUM_PAYLOAD : 2 * MAXIMUM_PAYLOAD) ? undefined : length;
}

/** Why a request is not served, before anything is done about it; undefined when it is. */
export function refusalOf(request: Request, rules: RequestRules): CommandFailure | undefined {
  const { command, flags, offset, length } = request;
  const known = FLAGS[command];
  if (known === undefined) return invalid(`unknown command ${command}`);
  let allowed = known;
  if (rules.mode === 'extended' && WITH_PAYLOAD.has(command)) allowed |= CommandFlag.payloadLength;
  if (rules.mode === 'simple') allowed &= ~CommandFlag.dontFragment;
  if ((flags & ~allowed) !== 0) return invalid(`flags 0x${flags.toString(16)} do not go with this command`);
  if (command === Command.flush) {
    return offset === 0 && length === 0 ? undefined : invalid('a flush has neither offset nor length');
  }
  if (WRITES.has(command) && rules.hold.writable === undefined) {
    return { errno: Errno.permission, message: 'the export is read-only' };
  }
  if (command === Command.blockStatus) {
    if (rules.contexts === 0) return invalid('no metadata context was chosen');
    if ((flags & CommandFlag.payloadLength) !== 0) return refusalOfChoice(length, rules.contexts);
    if (length === 0) return invalid('a block status of no bytes');
  }
  if (offset + length > rules.hold.disk.size) {
    const isWrite = command === Command.write || command === Command.writeZeroes;
    return { errno: isWrite ? Errno.noSpace : Errno.invalid, message: 'outside of the disk' };
  }
  const movesData = command === Command.read || command === Command.write;
  if (movesData && length > MAXIMUM_PAYLOAD) {
    return { errno: command === Command.read ? Errno.overflow : Errno.invalid, message: 'too long' };
  }
  return undefined;
}

/** A payload of a block status: an effect length, then the numbers of some of the chosen contexts. */
function refusalOfChoice(length: number, contexts: number): CommandFailure | undefined {
  const numbers = (length - 8) / 4;
  const fits = Number.isInteger(numbers) && numbers >= 1 && numbers <= contexts;
  return fits ? undefined : invalid(`a choice of contexts in ${length} bytes`);
}

function invalid(message: string): CommandFailure {
  return { errno: Errno.invalid, message };
}
