import { Info, OptionReply, TransmissionFlag } from '../protocol/numbers.ts';
import { blockSizeInfo, exportInfo } from '../protocol/option-data.ts';
import { type BlockSizes, checkBlockSizes, defaultBlockSizes } from './block-sizes.ts';
import type { OptionExchange } from './option-exchange.ts';

/** What an export is. */
export interface ExportFacts {
  /** Bytes. */
  readonly size: number;
  /** `TransmissionFlag`s. */
  readonly flags: number;
  readonly blocks: BlockSizes;
}

/** What a server tells of an export while it opens it. */
export class ExportInfos {
  readonly #exchange: OptionExchange;
  #export: { readonly size: bigint; readonly flags: number } | undefined;
  #blocks: BlockSizes | undefined;

  constructor(exchange: OptionExchange) {
    this.#exchange = exchange;
  }

  /** Takes a reply INFO; kinds that were not asked for are allowed, and passed over. */
  add(reply: number, data: Buffer): void {
    if (reply !== OptionReply.info || data.length < 2)
      throw this.#exchange.nonsense('what it tells of the export');
    const kind = data.readUInt16BE(0);
    if (kind === Info.export) {
      this.#export = this.#exchange.decode(exportInfo, data);
    } else if (kind === Info.blockSize) {
      const { minimum, maximum } = this.#exchange.decode(blockSizeInfo, data);
      this.#blocks = checkBlockSizes(minimum, maximum);
      if (!this.#blocks) throw this.#exchange.nonsense(`block sizes from ${minimum} to ${maximum}`);
    }
  }

  /** Takes the description of an export that was opened by its name alone. */
  setExport(data: Buffer): void {
    this.#export = { size: data.readBigUInt64BE(0), flags: data.readUInt16BE(8) };
  }

  whole(): ExportFacts {
    if (!this.#export) throw this.#exchange.nonsense('it does not tell the size');
    const { flags } = this.#export;
    const size = Number(this.#export.size);
    if (!Number.isSafeInteger(size)) throw this.#exchange.nonsense(`a size of ${this.#export.size} bytes`);
    if ((flags & TransmissionFlag.hasFlags) === 0)
      throw this.#exchange.nonsense('it does not tell its flags');
    const blocks = this.#blocks ?? defaultBlockSizes(size);
    if (size % blocks.minimum !== 0) {
      throw this.#exchange.nonsense(`a size of ${size} bytes in blocks of ${blocks.minimum}`);
    }
    return { size, flags, blocks };
  }
}
