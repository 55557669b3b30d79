import type { Extent } from '../disk/index.ts';

/** Of extents in order, what lies from an offset on. */
export async function* extentsFrom(extents: AsyncIterable<Extent>, offset: number): AsyncGenerator<Extent> {
  for await (const extent of extents) {
    const skipped = Math.max(0, offset - extent.offset);
    if (skipped < extent.length) {
      yield { ...extent, offset: extent.offset + skipped, length: extent.length - skipped };
    }
  }
}
