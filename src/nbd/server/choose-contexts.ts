import { CommandFlag } from '../protocol/numbers.ts';
import type { ReceivedRequest } from '../protocol/request.ts';
import type { ChosenContext } from './block-status.ts';

/**
 * What a block status with a payload asks for (extension EXTENDED_HEADERS, section "Request types"): the request as if it
 * had come without, and of the contexts those whose numbers the payload lists.
 * @param payload 8 bytes of length, then 4 bytes a context
 * @returns undefined when a number is unknown, or comes twice
 */
export function chooseContexts(
  request: ReceivedRequest,
  payload: Buffer,
  contexts: readonly ChosenContext[],
): { readonly request: ReceivedRequest; readonly contexts: readonly ChosenContext[] } | undefined {
  const wanted = new Set<number>();
  for (let at = 8; at < payload.length; at += 4) wanted.add(payload.readUInt32BE(at));
  const chosen = contexts.filter(({ id }) => wanted.has(id));
  if (chosen.length !== (payload.length - 8) / 4) return undefined;
  const length = Number(payload.readBigUInt64BE());
  return {
    request: { ...request, length, flags: request.flags & ~CommandFlag.payloadLength },
    contexts: chosen,
  };
}
