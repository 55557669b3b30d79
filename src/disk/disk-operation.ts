/** Something asked of a disk, as faults and delays are planned by it. */
export interface DiskOperation {
  readonly kind: 'read' | 'extents' | 'write' | 'flush' | 'writeZeroes' | 'discard' | 'resize';
  /** First byte of the range; 0 of a flush or a resize. */
  readonly offset: number;
  /** Bytes of the range; the new size of a resize; 0 of a flush. */
  readonly length: number;
  /** How many operations came before. */
  readonly index: number;
}
