import { EXTENSION } from '../constants.ts';
import type { HeaderExtension } from '../header-extensions.ts';
import type { AutoclearFeatures } from '../header-fields.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { MetadataClusters } from '../writing/metadata-clusters.ts';
import type { HostRange } from '../writing/refcount-table.ts';
import { bitmapsExtension } from './bitmap-fields.ts';
import type { BitmapList } from './bitmap-list.ts';

/** Writes the bitmap directory, and what the header says of it. */
export class DirectoryWriter {
  readonly #file: ImageFile;
  readonly #header: ImageHeader;
  readonly #clusters: MetadataClusters;

  constructor(file: ImageFile, header: ImageHeader, clusters: MetadataClusters) {
    this.#file = file;
    this.#header = header;
    this.#clusters = clusters;
  }

  /**
   * Writes the directory to its place. Of one that is there already only flags change, which never lie across sectors: it
   * is right at whichever sector a crash cuts it.
   * @param inUse whether sound bitmaps are marked; inconsistent ones are in any case
   */
  async write(list: BitmapList, place: HostRange, inUse: boolean): Promise<void> {
    const entries = list.bitmaps.map((bitmap) =>
      bitmap.encodeEntry(bitmap.inconsistent || (inUse && bitmap.sound)),
    );
    this.#clusters.checkMetadata('bitmap directory', place.offset, place.length);
    await this.#file.write(Buffer.concat(entries), place.offset);
  }

  /**
   * The header names another directory, or none. The extension may lie in another sector than the autoclear bit, so the
   * bit is off meanwhile: a crash in between costs the bitmaps, which count as outdated until they are stored anyway.
   */
  async publish(list: BitmapList, place: HostRange | undefined): Promise<void> {
    const others = [...this.#header.current.autoclear].filter((feature) => feature !== 'bitmaps');
    await this.#patch(new Set(others));
    const { extensions } = this.#header.current;
    await this.#header.rewrite({ extensions: withDirectory(extensions, list.bitmaps.length, place) });
    await this.#file.barrier();
    if (place) await this.#patch(new Set([...others, 'bitmaps']));
  }

  async #patch(autoclear: AutoclearFeatures): Promise<void> {
    await this.#header.patch({ autoclear });
    await this.#file.barrier();
  }
}

/** The header's extensions with one that names a directory, or without; the others as they are. */
export function withDirectory(
  extensions: Qcow2Header['extensions'],
  bitmapCount: number,
  place: HostRange | undefined,
): HeaderExtension[] {
  const others = extensions.filter(({ type }) => type !== EXTENSION.bitmaps);
  if (!place) return others;
  const data = bitmapsExtension.encode({
    bitmapCount,
    reserved: 0,
    directorySize: BigInt(place.length),
    directoryOffset: BigInt(place.offset),
  });
  const extension = { type: EXTENSION.bitmaps, data };
  const at = extensions.findIndex(({ type }) => type === EXTENSION.bitmaps);
  return at < 0 ? [...others, extension] : others.toSpliced(at, 0, extension);
}
