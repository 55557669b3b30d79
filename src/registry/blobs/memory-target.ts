import type { BlobTarget } from './blob-target.ts';

/** A target of a known size in memory, which holds nothing yet. */
export function memoryTarget(size: number): BlobTarget & { readonly bytes: Buffer } {
  const bytes = Buffer.alloc(size);
  return {
    bytes,
    stat: () => ({ size: 0 }),
    async read() {
      return 0;
    },
    async write(from, offset) {
      bytes.set(from, offset);
    },
    async truncate() {},
  };
}
