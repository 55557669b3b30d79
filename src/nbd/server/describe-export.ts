import { TransmissionFlag } from '../protocol/numbers.ts';
import type { ReplyMode } from '../protocol/reply-format.ts';
import type { Hold } from './open-exports.ts';

/**
 * The size of an export, bytes, and its transmission flags (section "Transmission flags").
 * @param contexts how many the client has chosen
 */
export function describeExport(
  { disk, writable, export: { maxClients = 0, identity } }: Hold,
  mode: ReplyMode,
  contexts: number,
): { readonly size: bigint; readonly flags: number } {
  const flag = TransmissionFlag;
  let flags = flag.hasFlags | flag.sendFlush | flag.sendFua | flag.sendCache;
  // All clients share one disk, so a flush of one covers all. Who may come alone must not try with several connections,
  // nor who might get another disk by the next one.
  if (maxClients !== 1 && identity === undefined) flags |= flag.canMultiConn;
  if (writable === undefined) flags |= flag.readOnly;
  else flags |= flag.sendWriteZeroes | flag.sendFastZero | (writable.discard ? flag.sendTrim : 0);
  if (mode !== 'simple') flags |= flag.sendDf;
  if (mode === 'extended' && contexts > 0) flags |= flag.blockStatusPayload;
  return { size: BigInt(disk.size), flags };
}
