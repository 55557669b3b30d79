/** What an image is made in; HostFile is one. Offsets and lengths are bytes. */
export interface NewImageFile {
  readonly path: string;
  /** It reads zeros from then on, all of this length; called once, before the rest. */
  truncate(size: number): Promise<void>;
  write(from: Uint8Array, offset: number): Promise<void>;
  /** Reserves storage for the range. False where that cannot be done. */
  allocate(offset: number, length: number): boolean;
  /** What was written is durable. */
  sync(): Promise<void>;
}
