/** How the files of a file system are changed. */
export interface WriteOptions {
  /** An empty folder of the host for what is in the making; the caller removes it. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of files that were written until now. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Called with how many attributes of a file cannot be kept; the file is written without them. */
  readonly onLostAttributes?: ((count: number) => void) | undefined;
}
