/** Where the body of an answer comes from. Pieces are not used any more when the next is asked for. */
export interface BodyStream extends AsyncIterable<Buffer> {
  /** Bytes, where they were told ahead. */
  readonly length: number | undefined;
  /** Whether all of it came. */
  readonly complete: boolean;
  /** Ends the connection that it comes on. */
  destroy(): void;
}
