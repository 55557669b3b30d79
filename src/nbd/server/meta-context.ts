import { type Disk, extentsOf } from '../../disk/index.ts';
import type { Qcow2Disk } from '../../qcow2/index.ts';
import { AllocationFlag } from '../protocol/numbers.ts';

/** A stretch of a disk, in bytes, and what a context says of it. */
export interface ContextExtent {
  readonly length: number;
  readonly flags: number;
}

/** Something that can be asked of ranges of a disk (specification, section "Metadata querying"). */
export interface MetaContext {
  /** `namespace:leaf`. */
  readonly name: string;
  /** Extents of a range in order, without gaps, from its start on; not more than the range. */
  extents(disk: Disk, offset: number, length: number): AsyncIterable<ContextExtent>;
}

/** Which parts are holes, and which read zeros. */
export const baseAllocation: MetaContext = {
  name: 'base:allocation',
  async *extents(disk, offset, length) {
    for await (const extent of extentsOf(disk, offset, length)) {
      const flags = extent.kind === 'data' ? 0 : AllocationFlag.hole | AllocationFlag.zero;
      yield { length: extent.length, flags };
    }
  },
};

/** How deep in the chain the deciding image lies: 1 is the disk's own, 0 says that none decides (QEMU, interop/nbd). */
export const allocationDepth: MetaContext = {
  name: 'qemu:allocation-depth',
  async *extents(disk, offset, length) {
    for await (const extent of extentsOf(disk, offset, length)) {
      yield { length: extent.length, flags: extent.kind === 'unallocated' ? 0 : extent.depth + 1 };
    }
  },
};

/** What a persistent dirty bitmap of a qcow2 image says: 1 is dirty (QEMU, interop/nbd). */
export function dirtyBitmap(disk: Pick<Qcow2Disk, 'dirtyExtents'>, bitmap: string): MetaContext {
  return {
    name: `qemu:dirty-bitmap:${bitmap}`,
    async *extents(_disk, offset, length) {
      for await (const extent of disk.dirtyExtents(bitmap, offset, length)) {
        yield { length: extent.length, flags: extent.dirty ? 1 : 0 };
      }
    },
  };
}
