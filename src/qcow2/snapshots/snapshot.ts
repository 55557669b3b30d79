/** An internal snapshot, as the image's snapshot table describes it. */
export interface Snapshot {
  /** Unique in the image; a number as a rule. */
  readonly id: string;
  readonly name: string;
  /** When it was taken. */
  readonly date: Date;
  /** Nanoseconds past the last whole second of `date`, which has milliseconds alone. */
  readonly dateNanoseconds: number;
  /** Bytes of a virtual machine's state that lie above the disk; 0 when it was taken of the disk alone. */
  readonly vmStateSize: number;
  /** The virtual disk's bytes; the disk's own where a snapshot of version 2 does not say. */
  readonly diskSize: number;
  /** Nanoseconds that the guest had run. */
  readonly vmClock: bigint;
  /** Instructions that the guest had run; undefined when nobody counted. */
  readonly icount: bigint | undefined;
}
