import { CalveError } from '../errors/index.ts';
import { HEADER_LENGTH_V2 } from './constants.ts';
import { encodeHeader } from './header.ts';
import type { HeaderFields } from './header-fields.ts';
import type { ImageFile } from './image-file.ts';
import { patchHeader } from './patch-header.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** Fields that lie in the header's first sector, so that any number of them changes at once. */
export type HeaderChange = Partial<
  Pick<
    Qcow2Header,
    | 'size'
    | 'l1Size'
    | 'l1Offset'
    | 'refcountTableOffset'
    | 'refcountTableClusters'
    | 'refcountBits'
    | 'snapshotCount'
    | 'snapshotsOffset'
    | 'incompatible'
    | 'compatible'
    | 'autoclear'
  >
>;

/** Section "Header": where the size lies. */
const SIZE_AT = 24;
/** Bytes that disks of today write at once. */
const ATOMIC = 4096;

/** The header of an open image: as it is in the file, and the way to change it there. Changes come one at a time. */
export class ImageHeader {
  #current: Qcow2Header;
  readonly #file: ImageFile;

  constructor(file: ImageFile, header: Qcow2Header) {
    this.#file = file;
    this.#current = header;
  }

  get current(): Qcow2Header {
    return this.#current;
  }

  /** Changes fields in one write of one sector. Durable after the next barrier. */
  async patch(change: HeaderChange): Promise<void> {
    await patchHeader(this.#file, fieldsOf(change));
    this.#current = { ...this.#current, ...change };
  }

  /**
   * Writes the whole header anew. Unknown fields and extensions stay (trap 5), and so does a size that ends inside a
   * sector, unless it is changed. Durable after the next barrier. It is one write: a disk that writes 4 KiB at once, as
   * all of today do, has the old header after a crash or the new one.
   * @throws CalveError `out-of-range` when the header does not fit into the first cluster; nothing was changed then
   */
  async rewrite(change: Partial<Qcow2Header>): Promise<void> {
    await this.#write({ ...this.#current, ...change }, change.size === undefined);
  }

  /** As `rewrite`, with a header that may lack what the one before had. The size stays. */
  async replace(next: Qcow2Header): Promise<void> {
    await this.#write(next, true);
  }

  /** @throws CalveError `out-of-range` when such a header does not fit into the first cluster */
  checkRoom(next: Qcow2Header): void {
    this.#encode(next);
  }

  async #write(next: Qcow2Header, keepsSize: boolean): Promise<void> {
    const used = this.#encode(next);
    // Zeros behind it, so that nothing is left of a longer one.
    const bytes = new Uint8Array(Math.max(used.length, Math.min(next.clusterSize, ATOMIC)));
    bytes.set(used);
    if (keepsSize) {
      const start = await this.#file.readStructure('the header', 0, HEADER_LENGTH_V2);
      bytes.set(start.subarray(SIZE_AT, SIZE_AT + 8), SIZE_AT);
    }
    await this.#file.write(bytes, 0);
    this.#current = next;
  }

  #encode(next: Qcow2Header): Uint8Array {
    try {
      return encodeHeader(next);
    } catch (cause) {
      if (!CalveError.is(cause, 'invalid')) throw cause;
      throw new CalveError('out-of-range', `${this.#file.path}: ${cause.message}`, {
        cause,
        hint: 'use a shorter name for the backing file or the data file',
        data: { path: this.#file.path },
      });
    }
  }
}

function fieldsOf(change: HeaderChange): Partial<HeaderFields> {
  const { size, l1Offset, refcountTableOffset, snapshotsOffset, refcountBits, ...same } = change;
  return {
    ...same,
    ...(size === undefined ? {} : { size: BigInt(size) }),
    ...(l1Offset === undefined ? {} : { l1Offset: BigInt(l1Offset) }),
    ...(refcountTableOffset === undefined ? {} : { refcountTableOffset: BigInt(refcountTableOffset) }),
    ...(snapshotsOffset === undefined ? {} : { snapshotsOffset: BigInt(snapshotsOffset) }),
    ...(refcountBits === undefined ? {} : { refcountOrder: Math.log2(refcountBits) }),
  };
}
