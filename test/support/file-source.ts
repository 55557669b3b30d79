import type { FileSource } from '../../src/guestfs/tree-change.ts';

/** Content as a source of a file; where `hole` is given, only what lies outside of it counts as data. */
export function sourceOf(content: Buffer, hole?: { from: number; to: number }): FileSource {
  return {
    size: content.length,
    async *dataRuns() {
      if (hole === undefined) yield { offset: 0, length: content.length };
      else {
        yield { offset: 0, length: hole.from };
        yield { offset: hole.to, length: content.length - hole.to };
      }
    },
    read: async (offset, into) => {
      into.set(content.subarray(offset, offset + into.length));
    },
  };
}
