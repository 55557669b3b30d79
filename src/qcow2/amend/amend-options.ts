import type { EncryptionOptions } from '../encryption/index.ts';

/** What of an image is to be amended. What is left out stays as it is. */
export interface Amendment {
  /**
   * Version 2 is what QEMU calls `compat=0.10`, version 3 `compat=1.1`. In version 2 nothing says that a cluster reads
   * zeros: such clusters become unallocated where the image names no backing file, and data of zeros where it does.
   */
  readonly version?: 2 | 3 | undefined;
  /** Width of a refcount: 1, 2, 4, 8, 16, 32 or 64; 16 in version 2. */
  readonly refcountBits?: number | undefined;
  /** Whether writing refcounts may be put off, and they are rebuilt after a crash (version 3 only). */
  readonly lazyRefcounts?: boolean | undefined;
  /**
   * What the header names as backing file, word for word; null for none. It is not opened, and no data moves: what the
   * image does not hold itself reads as the new backing file from then on, or as zeros. For who knows that the contents
   * are the same, as after a backing file was moved.
   */
  readonly backingFile?: string | null | undefined;
  /** Goes with `backingFile`; alone, it says what the backing file that is named already is. */
  readonly backingFormat?: string | undefined;
  /**
   * The name of the external data file, of an image that has one; null for no name: who opens the image must say which it
   * is. It is not opened, and no data moves.
   */
  readonly dataFile?: string | null | undefined;
  /** False: the external data file need not be kept valid as a raw image. True only where it is so already. */
  readonly dataFileRaw?: boolean | undefined;
}

/** How far an amendment has come, in what each stage counts. */
export interface AmendProgress {
  /** `check` counts L2 tables, `refcounts` refcount blocks, `zeros` L2 tables. */
  readonly stage: 'check' | 'refcounts' | 'zeros';
  readonly done: number;
  readonly total: number;
}

/** How an image is amended. */
export interface AmendImageOptions extends Amendment {
  /** To write zeros as data into an encrypted image, which version 2 may take. */
  readonly encryption?: EncryptionOptions | undefined;
  /** Ends the amendment; what is done already stays done, and the image is sound. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: AmendProgress) => void) | undefined;
}
