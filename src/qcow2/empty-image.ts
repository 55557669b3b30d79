import { layOutImage } from './creating/image-layout.ts';
import { type EmptyImageOptions, settleOptions } from './creating/image-options.ts';
import { type ImagePart, imageParts } from './creating/image-parts.ts';
import { newHeader } from './creating/new-header.ts';

export type { EmptyImageOptions } from './creating/image-options.ts';

/** An image's file as the few parts of it that are not zeros. Offsets and lengths are bytes. */
export interface EmptyImage {
  /** The file's length. */
  readonly length: number;
  /** In the order of the file. */
  readonly parts: readonly ImagePart[];
}

/**
 * A fresh image: header, refcount table, refcount blocks, L1 table, each on clusters of its own and in this order, as
 * QEMU lays it out. The file ends with the L1 table, inside its last cluster.
 * @throws CalveError `out-of-range` or `usage`, naming the option
 */
export function layOutEmptyImage(options: EmptyImageOptions): EmptyImage {
  const settled = settleOptions(options);
  const layout = layOutImage(settled, 0);
  const header = { offset: 0, bytes: newHeader(settled, layout, 0) };
  return { length: layout.length, parts: [header, ...imageParts(settled, layout)] };
}

/**
 * The whole file of a fresh image in one buffer, for whoever makes many. Options and errors as `layOutEmptyImage`.
 *
 * @example
 * await writeFile('env.qcow2', encodeEmptyImage({ size, backingFile: 'base.qcow2', backingFormat: 'qcow2' }));
 */
export function encodeEmptyImage(options: EmptyImageOptions): Uint8Array {
  const { length, parts } = layOutEmptyImage(options);
  const file = new Uint8Array(length);
  for (const { offset, bytes } of parts) file.set(bytes, offset);
  return file;
}
