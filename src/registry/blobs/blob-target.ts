/** Where a blob's bytes go: a file that is open for reading and writing (`HostFile`). Offsets are bytes. */
export interface BlobTarget {
  /** `size` is what is there already, of an earlier try. */
  stat(): { readonly size: number };
  read(into: Uint8Array, offset: number): Promise<number>;
  /** `from` is not touched until this resolves. */
  write(from: Uint8Array, offset: number): Promise<void>;
  truncate(size: number): Promise<void>;
}
