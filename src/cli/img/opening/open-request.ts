import type { Chain } from '../../../qcow2/index.ts';
import type { BlockOptions } from '../options/block-options.ts';
import type { Secrets } from '../options/secrets.ts';

/** How a whole image is opened, chain and all. */
export interface OpenSettings {
  readonly writable: boolean;
  /** How far below the image that is opened, if any, one lies that is opened to be written too: 1 is its backing file. */
  readonly writableDepth?: number | undefined;
  /** `-U`: others may write it meanwhile; no locks are taken. */
  readonly forceShare: boolean;
  /** Cache mode `unsafe`: nothing of what is written to files is made durable. */
  readonly isUnsafe: boolean;
  /** Whether the backing chain is opened too. */
  readonly withBacking: boolean;
  /** Guest data is neither read nor written, so that an encrypted image needs no secret. */
  readonly withoutData: boolean;
  readonly secrets: Secrets;
  /** The image is opened to be checked: nothing in it is mended or refused because of damage. */
  readonly forCheck: boolean;
  /** The images above, of a backing file. */
  readonly chain?: Chain;
  readonly signal: AbortSignal;
  /** Told in the middle of opening, as qemu-img does: a line each. */
  readonly warn: (line: string) => void;
}

/** One node that is to be opened. */
export interface NodeRequest {
  /** As typed, or as an image names it. */
  readonly filename: string | undefined;
  /** Taken by whoever understands them. */
  readonly options: BlockOptions;
  /** The driver that was asked for; undefined: it is found out. */
  readonly driver: string | undefined;
}
