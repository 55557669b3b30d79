/** What the engine asks of the file that an image lies in. HostFile is one; so are the test doubles of crash tests. */
export interface ImageStorage {
  readonly path: string;
  /** `size` is the file's length in bytes. */
  stat(): { readonly size: number };
  /** Bytes read; fewer only at the end of the file. Storage without it, on a network, has every read wait. */
  readSync?(into: Uint8Array, offset: number): number;
  /** As `readSync`, in its own time. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** As `readSync`, but false where that would have to wait, or for fewer bytes than asked for. Storage without it cannot tell. */
  readCached?(into: Uint8Array, offset: number): boolean;
  write(from: Uint8Array, offset: number): Promise<void>;
  /** As `write`, at once. Storage without it has every write wait for the thread pool, or for what is behind it. */
  writeSync?(from: Uint8Array, offset: number): void;
  /** Every write that had resolved before is durable when this resolves. */
  datasync(): Promise<void>;
  /** False where it cannot be done. */
  punchHole(offset: number, length: number): boolean;
  /** Sets the length; growth reads zeros. Storage without it keeps what an image no longer needs at its end. */
  truncate?(size: number): Promise<void>;
  /** Reserves storage for the range, which reads what it read before, and grows the file to hold it. False where it cannot be done. */
  allocate?(offset: number, length: number): boolean;
  close(): Promise<void>;
}
