/** A part of a disk that a partition table names. */
export interface Partition {
  /** As Linux counts: the place in the table from 1 on; logical partitions of an MBR from 5 on. */
  readonly number: number;
  /** Bytes from the start of the disk. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** What the table says that it is for: a GUID in lower case (GPT), or `0x83` (MBR). */
  readonly type: string;
  /** Its name in a GPT; null where there is none. */
  readonly name: string | null;
  /** Its own GUID in a GPT, else null. */
  readonly uuid: string | null;
}
