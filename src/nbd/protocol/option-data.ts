import { array, type CoderType, magic, string, struct, U16BE, U32BE, U64BE } from 'micro-packed';
import { Info, OPTION_MAGIC, OPTION_REPLY_MAGIC } from './numbers.ts';

const magic64 = (value: bigint): CoderType<undefined> => magic(U64BE, value);

const name: CoderType<string> = string(U32BE);

/** What every option begins with; its data follows. */
export const optionHeader: CoderType<{ magic?: undefined; option: number; length: number }> = struct({
  magic: magic64(OPTION_MAGIC),
  option: U32BE,
  length: U32BE,
});

/** What every reply to an option begins with. */
export const optionReplyHeader: CoderType<{
  magic?: undefined;
  option: number;
  reply: number;
  length: number;
}> = struct({ magic: magic64(OPTION_REPLY_MAGIC), option: U32BE, reply: U32BE, length: U32BE });

/** The data of INFO and GO: which export, and what the client wants to know. */
export interface InfoRequest {
  readonly name: string;
  readonly wanted: number[];
}
export const infoRequest: CoderType<InfoRequest> = struct({ name, wanted: array(U16BE, U16BE) });

/** The data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export interface ContextRequest {
  readonly name: string;
  readonly queries: string[];
}
export const contextRequest: CoderType<ContextRequest> = struct({ name, queries: array(U32BE, name) });

/** A reply SERVER: an export's name, then its description. */
export const serverReply: CoderType<{ name: string; description: string }> = struct({
  name,
  description: string(null),
});

/** A reply META_CONTEXT. */
export const contextReply: CoderType<{ id: number; name: string }> = struct({
  id: U32BE,
  name: string(null),
});

/** A reply INFO of kind `export`; what an export is when it is opened by its name alone, too, without `kind`. */
export const exportInfo: CoderType<{ kind?: undefined; size: bigint; flags: number }> = struct({
  kind: magic(U16BE, Info.export),
  size: U64BE,
  flags: U16BE,
});

export const nameInfo: CoderType<{ kind?: undefined; name: string }> = struct({
  kind: magic(U16BE, Info.name),
  name: string(null),
});

export const descriptionInfo: CoderType<{ kind?: undefined; description: string }> = struct({
  kind: magic(U16BE, Info.description),
  description: string(null),
});

/** Bytes: the least that can be asked for, what suits best, the most of one request. */
export const blockSizeInfo: CoderType<{
  kind?: undefined;
  minimum: number;
  preferred: number;
  maximum: number;
}> = struct({ kind: magic(U16BE, Info.blockSize), minimum: U32BE, preferred: U32BE, maximum: U32BE });
