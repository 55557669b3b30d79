/** How far the transfer of a blob is. All bytes. */
export interface TransferProgress {
  /** How much of the blob is where it shall be. */
  readonly done: number;
  readonly total: number;
  /** What went over the wire, more than once where it had to. */
  readonly moved: number;
  /** What did not have to, since an earlier try had brought it. */
  readonly there: number;
}
