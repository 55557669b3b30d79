/** Who takes what comes from a socket. */
export interface Receiver {
  /** Where the next bytes are to go: what the kernel has is read straight to there. */
  space(): Uint8Array;
  /**
   * Bytes have come.
   * @param buffer what `space` gave, which is used again afterwards, or another one
   * @throws CalveError `invalid` when they break the protocol
   */
  received(count: number, buffer: Uint8Array): void;
}
